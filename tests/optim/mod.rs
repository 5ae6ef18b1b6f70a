mod adam;
mod schedule;

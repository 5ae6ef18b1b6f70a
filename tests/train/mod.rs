mod checkpoint;
mod config;
mod events;
mod metrics;
mod presets;
mod run;

mod handwriting;

use stcn::inspect::wav;

#[test]
fn samples_are_rounded_and_clipped_and_what_was_clipped_is_counted() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.wav");
    let samples = [0., 0.4, -0.6, 32767.4, 32767.6, -32768.4, -32769., 1e30, f32::NAN];
    // None is no number of 16 bits either.
    assert_eq!(wav(&samples, 22_050, &path).unwrap(), 4);
    let mut file = hound::WavReader::open(&path).unwrap();
    let spec = file.spec();
    assert_eq!((spec.channels, spec.sample_rate, spec.bits_per_sample), (1, 22_050, 16));
    assert_eq!(spec.sample_format, hound::SampleFormat::Int);
    let read: Vec<i16> = file.samples().map(Result::unwrap).collect();
    assert_eq!(read, [0, 0, -1, 32767, 32767, -32768, -32768, 32767, 0]);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn a_file_that_cannot_be_written_is_told_and_silence_of_no_length_can() {
    let said = wav(&[1.], 16_000, "/no/such/folder/x.wav").unwrap_err().to_string();
    assert!(said.starts_with("cannot write /no/such/folder/x.wav: "), "{said}");
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.wav");
    assert_eq!(wav(&[], 16_000, &path).unwrap(), 0);
    assert_eq!(hound::WavReader::open(&path).unwrap().len(), 0);
}

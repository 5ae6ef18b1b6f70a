use super::{config, stored};
use stcn::data::DataSet;
use stcn::train::Trainer;

#[test]
fn dequantised_updates_are_other_updates_and_refused_off_the_grid() {
    let dir = tempfile::tempdir().unwrap();
    let data = format!("data.path={}", stored(dir.path()).display());
    let x = |set: &str| Trainer::new(config(&[&data, set])).unwrap().batch().unwrap().x;
    assert_ne!(x("data.dequantise=true").data(), x("data.dequantise=false").data());
    let off = dir.path().join("off.npz");
    let rows = vec![1., 2., 0., 3.5, 4., 1.];
    DataSet::from_parts("off", 3, vec![rows], None).unwrap().save(&off).unwrap();
    let off = config(&[&format!("data.path={}", off.display()), "data.dequantise=true"]);
    let said = Trainer::new(off).err().expect("refused").to_string();
    assert!(
        said.contains("off.npz: sequence 1, step 2, channel 1 is 3.5, dequantisation"),
        "{said}"
    );
}

#[test]
fn a_run_takes_the_rate_of_its_sound_and_refuses_sound_of_another() {
    let dir = tempfile::tempdir().unwrap();
    let data = stored(dir.path());
    let ink = || DataSet::open(&data, None).unwrap();
    let with = |set: DataSet, more: &str| {
        set.save(&data).unwrap();
        Trainer::new(config(&[&format!("data.path={}", data.display()), more]))
    };
    let rate = |set: DataSet, more| with(set, more).unwrap().config().data.rate;
    assert_eq!(rate(ink(), "data.rate=0"), 0);
    assert_eq!(rate(ink(), "data.rate=8000"), 8000); // which the file does not know
    assert_eq!(rate(ink().with_rate(16_000).unwrap(), "data.rate=0"), 16_000);
    assert_eq!(rate(ink(), "data.rate=16000"), 16_000);
    let said = with(ink(), "data.rate=8000").err().expect("refused").to_string();
    let wanted = "has 16000 samples of sound per second, and data.rate of this run is 8000: give data of that rate, or \
                  train another run with --set data.rate=0";
    assert_eq!(said, format!("{}: {wanted}", data.display()));
}

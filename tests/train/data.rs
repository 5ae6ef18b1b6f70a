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

use stcn::Tensor;
use stcn::internals::allocator::{give_back, settle};

/// The resident memory of this process in MB.
#[cfg(target_os = "linux")]
fn resident() -> f64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<f64>().unwrap() * 1.024e-3
}

#[test]
#[ignore = "the test below starts it in a process of its own"]
#[cfg(target_os = "linux")]
fn measured() {
    settle();
    let before = resident();
    // Every other one stays, so that no end of an arena is free: 30 kB each, below what is mapped alone.
    let fill = || (0..4000).map(|_| Tensor::new(&[7500], vec![1.; 7500])).collect::<Vec<_>>();
    let mut kept = fill();
    let full = resident();
    let mut keep = false;
    kept.retain(|_| {
        keep = !keep;
        keep
    });
    let dropped = resident();
    give_back();
    println!("\nmeasured {before} {full} {dropped} {}", resident());
}

/// In a process of its own: memory is counted for a whole process.
#[test]
#[cfg(target_os = "linux")]
fn memory_of_dropped_tensors_goes_back_to_the_system_when_asked_to() {
    let mut command = std::process::Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "train::allocator::measured", "--ignored", "--nocapture"]);
    let text = crate::common::stdout(&command.output().unwrap());
    let line = text.lines().find_map(|line| line.strip_prefix("measured ")).unwrap();
    let numbers: Vec<f64> = line.split(' ').map(|number| number.parse().unwrap()).collect();
    let [before, full, dropped, after] = numbers[..] else { panic!("{line}") };
    assert!(full - before > 115., "{line}"); // of 120 MB
    assert!(full - dropped < 10., "kept for the next tensors: {line}");
    assert!((30. ..75.).contains(&(after - before)), "half of them are in use: {line}");
}

use stcn::Tensor;
use stcn::internals::allocator::{give_back, settle};
#[cfg(target_os = "linux")]
use stcn::internals::memory::kilobytes;

/// The resident memory of this process in MB.
#[cfg(target_os = "linux")]
fn resident() -> f64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap();
    kilobytes(&text, "VmRSS:").unwrap() as f64 * 1e-6
}

#[test]
#[ignore = "the test below starts it in a process of its own"]
#[cfg(target_os = "linux")]
fn measured() {
    settle();
    let before = resident();
    // Every other one stays, so that no end of an arena is free: 30 kB each, below what is mapped alone.
    let all: Vec<_> = (0..4000).map(|_| Tensor::new(&[7500], vec![1.; 7500])).collect();
    let full = resident();
    let _kept: Vec<_> = all.into_iter().step_by(2).collect();
    let dropped = resident();
    give_back();
    println!("\ncounted {before} {full} {dropped} {}", resident());
}

/// In a process of its own: memory is counted for a whole process.
#[test]
#[cfg(target_os = "linux")]
fn memory_of_dropped_tensors_goes_back_to_the_system_when_asked_to() {
    let numbers = crate::common::counted_alone("train::allocator::measured", "");
    let [before, full, dropped, after] = numbers[..] else { panic!("{numbers:?}") };
    assert!(full - before > 115., "{numbers:?}"); // of 120 MB
    assert!(full - dropped < 10., "kept for the next tensors: {numbers:?}");
    assert!((30. ..75.).contains(&(after - before)), "half of them are in use: {numbers:?}");
}

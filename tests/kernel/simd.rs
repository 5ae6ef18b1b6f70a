//! Every instruction set of this CPU: the set is read once per process, so this binary runs itself.

use crate::ops::{numbers, small_network};
use stcn::Real;
use stcn::internals::kernel::simd::{Isa, isa};
use std::process::{Command, Output};

/// Runs the tests named by `filters` in a process of their own under `STCN_ISA=name`.
fn rerun(name: &str, filters: &[&str]) -> Output {
    let mut this = Command::new(std::env::current_exe().unwrap());
    this.args(filters).args(["--nocapture", "--test-threads=1"]).env("STCN_ISA", name);
    this.output().unwrap()
}

#[test]
fn every_instruction_set_computes_what_is_defined() {
    for isa in Isa::available() {
        let kernels = ["gemm", "causal_conv", "reduce", "pointwise", "lstm", "gru", "mixture"];
        let filters = kernels.map(|kernel| format!("kernel::{kernel}::"));
        let output = rerun(isa.name(), &filters.each_ref().map(String::as_str));
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{}: {said}", isa.name());
        let result = said.lines().find(|line| line.starts_with("test result: ok.")).unwrap();
        assert!(!result.contains(" 0 passed"), "{}: nothing was run", isa.name());
        eprintln!("STCN_ISA={}: {result}", isa.name());
    }
}

#[test]
fn every_instruction_set_gives_a_network_the_same_bits() {
    let hashes = Isa::available().into_iter().map(|isa| {
        let output = rerun(isa.name(), &["--exact", "kernel::simd::the_bits_of_a_small_network"]);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{}: {said}", isa.name());
        // libtest writes the test's name first on the same line.
        let at = said.find("bits under ").unwrap_or_else(|| panic!("{}: {said}", isa.name()));
        let line = said[at..].lines().next().unwrap();
        eprintln!("{line}");
        let (found, hash) = line["bits under ".len()..].split_once(": ").unwrap();
        assert_eq!(found, isa.name(), "the forced set is the set in use");
        hash.to_owned()
    });
    let hashes: Vec<String> = hashes.collect();
    assert!(hashes.iter().all(|hash| *hash == hashes[0]), "{hashes:?}");
}

#[test]
fn the_bits_of_a_small_network() {
    let tensors = small_network();
    let fold = |hash: u64, x: &Real| (hash ^ u64::from(x.to_bits())).wrapping_mul(0x100_0000_01b3);
    let hash = tensors.iter().flat_map(|t| t.data()).fold(0xcbf2_9ce4_8422_2325, fold);
    println!("bits under {}: {hash:016x}", isa().name());
    assert!(tensors.iter().all(|t| t.is_finite()));
    assert!(numbers(&[9], 1) != numbers(&[9], 2));
}

#[test]
fn products_round_once() {
    assert!(stcn::math::madd_fuses());
}

#[test]
fn an_instruction_set_that_is_not_there_is_refused_with_those_that_are() {
    let output = rerun("sse9", &["--exact", "kernel::simd::the_bits_of_a_small_network"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success());
    assert!(said.contains("STCN_ISA=sse9: this CPU has "), "{said}");
    assert!(said.contains("portable"), "{said}");
}

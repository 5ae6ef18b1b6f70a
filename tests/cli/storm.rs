//! `make storm`: for as long as it may last, random signals at random moments and random faults of the file system,
//! against runs of random models and settings, each compared with one that was left alone.
#![cfg(target_os = "linux")]

use super::faults::{Fault, Faults, KINDS, straight, survives};
use super::killed::{kill_after, remains};
use crate::common::Lab;
use crate::repro::sizes;
use stcn::Noise;
use stcn::models::ALL;
use std::time::{Duration, Instant};

/// Random choices, each by its number.
struct Dice {
    noise: Noise,
    thrown: u64,
}

impl Dice {
    fn share(&mut self) -> f64 {
        let mut share = [0.];
        self.noise.uniforms("dice", self.thrown, 0, &mut share);
        self.thrown += 1;
        f64::from(share[0])
    }

    fn below(&mut self, n: usize) -> usize {
        ((self.share() * n as f64) as usize).min(n - 1)
    }

    fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }
}

/// The words of a random run of so many updates at most.
fn words(dice: &mut Dice, most: usize) -> String {
    let model = dice.one(&ALL);
    let mut words =
        format!("--data ink.npz --preset ink-tiny --model {model} {}", sizes(model.name()));
    let every = 1 + dice.below(4);
    words += &format!(" --set train.eval_every={every} --steps {}", 2 + dice.below(most - 1));
    words += &format!(" --seed {} --set train.batch={}", dice.below(1000), 1 + dice.below(6));
    if model.has_latents() && dice.below(3) == 0 {
        let objective = if dice.below(2) == 0 { "iwae" } else { "elbo" };
        words += &format!(" --set train.objective={objective} --set train.particles=2");
    }
    if dice.below(2) == 0 {
        words += &format!(" --set train.keep={}", 2 + dice.below(4));
    }
    if dice.below(3) == 0 {
        words += " --dequantise";
    }
    if dice.below(3) == 0 {
        words += &format!(" --set data.crop={}", 5 + dice.below(10));
    }
    words
}

/// Runs `round` with dice of its own until the time is over that `STCN_SECONDS` gives; how many rounds.
fn until_the_time_is_over(purpose: &str, mut round: impl FnMut(&mut Dice, u64)) -> u64 {
    let number = |name: &str| std::env::var(name).ok().map(|n| n.parse::<u64>().expect("a number"));
    let given = Duration::from_secs(number("STCN_SECONDS").unwrap_or(60));
    let (start, first) = (Instant::now(), number("STCN_ROUND").unwrap_or(0));
    for i in first.. {
        if start.elapsed() > given && i > first {
            return i - first;
        }
        println!("{purpose}, round {i}");
        round(&mut Dice { noise: Noise::new(i, "storm"), thrown: 0 }, i);
    }
    unreachable!("the time is over before the numbers are")
}

#[test]
#[ignore = "make storm"]
fn random_signals_at_random_moments_lose_no_bit() {
    let mut stops = 0;
    let rounds = until_the_time_is_over("signals", |dice, _| {
        let (lab, words) = (Lab::new(), words(dice, 30));
        println!("  {words}");
        let start = Instant::now();
        lab.ok(&format!("train --out straight {words}"));
        let whole = start.elapsed();
        loop {
            let signal = dice.one(&["KILL", "KILL", "TERM", "INT", "HUP", "SEGV"]);
            let words = format!("{words} --threads {}", 1 + dice.below(3));
            if !kill_after(&lab, &words, whole.mul_f64(0.7 * dice.share()), signal) {
                break;
            }
            stops += 1;
        }
        assert!(remains(&lab, "cut") == remains(&lab, "straight"), "{words}");
    });
    println!("{stops} signals in {rounds} runs");
}

#[test]
#[ignore = "make storm"]
fn random_faults_of_the_file_system_lose_no_bit() {
    let Some(shim) = Faults::new() else { return };
    let mut struck = 0;
    let rounds = until_the_time_is_over("faults", |dice, _| {
        let words = words(dice, 6);
        println!("  {words}");
        let (straight, calls) = straight(&shim, &words);
        for _ in 0..8 {
            let fault = |dice: &mut Dice| {
                let (kind, stays) = dice.one(&KINDS);
                Fault { at: 1 + dice.below(calls), kind, stays }
            };
            let pieces: Vec<Fault> = (0..1 + dice.below(4)).map(|_| fault(dice)).collect();
            survives(&shim, &words, &straight, &pieces);
            struck += pieces.len();
        }
    });
    println!("{struck} faults in {rounds} runs");
}

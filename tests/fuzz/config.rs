//! A config as a file, and as words after `--set`: what is accepted can be written, says the same again, and
//! asks for a model that can be counted.

#![no_main]

use libfuzzer_sys::fuzz_target;
use stcn::models::{self, Registry};
use stcn::train::Config;
use std::path::Path;

fuzz_target!(
    init: stcn_fuzz::seed("config", stcn_fuzz::texts().into_iter().map(String::into_bytes)),
    |text: &str| {
        let read = stcn_fuzz::within(text.as_bytes(), stcn_fuzz::CONFIG, 1 << 17, |_| {
            let _ = Config::default().set(text);
            Config::from_toml(text, Path::new("x"), &Registry::default())
        });
        let Ok(config) = read else { return };
        let again = Config::from_toml(&config.to_toml(), Path::new("x"), &Registry::default());
        assert_eq!(again.expect("what is written can be read"), config);
        let count = stcn_fuzz::within(b"", 0, stcn_fuzz::NAMES, |_| models::count(&config.model));
        count.expect("what is checked can be counted");
    }
);

//! What the targets share: memory under watch, a corpus to begin with, and frames around hostile contents.
//!
//! A target reads bytes as the program would and may be told off in a sentence, nothing else: a panic, an
//! abort, ten seconds, or more memory than the bytes are worth end it and leave an artifact. Not here: what
//! a message says (`tests/data`, `tests/train`).

use sha2::{Digest, Sha256};
use stcn::inspect::Dump;
use stcn::models::{self, ModelConfig, Registry};
use stcn::nn::Init;
use stcn::train::Config;
use stcn::internals::checkpoint::MAGIC;
use stcn::train::{Checkpoint, FORMAT};
use std::fs;
use std::path::Path;

#[path = "../common/allocator.rs"]
mod allocator;

/// What `read` returns; panics if it had more than `times` the bytes' length, and `constant`, at once.
pub fn within<T>(bytes: &[u8], times: usize, constant: usize, read: impl FnOnce(&[u8]) -> T) -> T {
    let (result, peak) = allocator::peak(|| read(bytes));
    let length = bytes.len();
    assert!(peak <= times * length + constant, "{peak} bytes of memory for a file of {length}");
    result
}

/// A parsed config keeps each number with its place, as a value and in a list that grows by doubling, and
/// of a text full of mistakes each mistake: 350 bytes a byte were seen. The text is 2¹⁶ bytes at most.
pub const CONFIG: usize = 512;

/// The names of a model of the most levels and layers, in bytes: what a file's are compared with.
pub const NAMES: usize = 1 << 24;

/// Puts the first inputs into the corpus that the fuzzer was started with, if it is a folder.
pub fn seed(name: &str, inputs: impl IntoIterator<Item = Vec<u8>>) {
    let folders = std::env::args().skip(1).filter(|word| !word.starts_with('-'));
    let Some(folder) =
        folders.map(|word| Path::new(&word).to_path_buf()).find(|path| path.is_dir())
    else {
        return;
    };
    for (i, input) in inputs.into_iter().enumerate() {
        fs::write(folder.join(format!("seed-{name}-{i}")), input)
            .expect("the corpus can be written");
    }
}

/// Inputs made of parts are cut here: no text holds it, and of numbers only some that are not finite.
pub const CUT: [u8; 3] = [0xff, 0xff, 0xff];

/// The parts of an input, as many as asked for, empty where there are no more.
pub fn parts<const N: usize>(input: &[u8]) -> [&[u8]; N] {
    let mut rest = Some(input);
    std::array::from_fn(|i| {
        let all = rest.take().unwrap_or_default();
        match all.windows(CUT.len()).position(|window| window == CUT).filter(|_| i + 1 < N) {
            Some(at) => {
                rest = Some(&all[at + CUT.len()..]);
                &all[..at]
            }
            None => all,
        }
    })
}

/// A checkpoint of these sections under good checksums.
pub fn checkpoint(payloads: [&[u8]; 4]) -> Vec<u8> {
    let mut bytes = [&MAGIC[..], &FORMAT.to_le_bytes()].concat();
    for (name, payload) in ["header", "params", "adam.m", "adam.v"].iter().zip(payloads) {
        let mut frame = name.as_bytes().to_vec();
        frame.resize(8, 0);
        frame.extend((payload.len() as u64).to_le_bytes());
        let sum = [&FORMAT.to_le_bytes()[..], &frame, payload].concat();
        bytes.extend([&frame, payload, &Sha256::digest(sum)].concat());
    }
    bytes
}

/// What is read is written so that the same is read. Bytes are compared, for a number may be none.
pub fn same_again(checkpoint: &Checkpoint) {
    let bytes = checkpoint.to_bytes();
    let again = Checkpoint::from_bytes(&bytes).expect("what is written can be read");
    assert_eq!(again.to_bytes(), bytes);
}

/// A safetensors file of this header and these numbers.
pub fn safetensors(header: &[u8], numbers: &[u8]) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes(), header, numbers].concat()
}

/// Configs of the smallest models there are.
pub fn texts() -> Vec<String> {
    let small = "[model]\nchannels = 1\nlatents = [1]\nblocks_per_latent = 1\nlatent_layers = 1\n\
                 output_layers = 1\nmixtures = 1\n";
    let more = ["kind = 'stcn'", "head = 'bigmm'", "decoder = 'gated'"];
    let mut texts: Vec<_> = more.iter().map(|more| format!("{small}{more}\n")).collect();
    texts.push(format!("preset = 'music-small'\n{small}input = 2\n"));
    texts.extend(smallest());
    texts.push(Config::default().to_toml());
    // What takes the most memory for its length: numbers of one digit.
    texts.push(format!("model.latents = [{}]\n", "1,".repeat(2000)));
    texts
}

/// One of every model whose sizes are all 1.
fn smallest() -> impl Iterator<Item = String> {
    models::ALL.into_iter().map(|kind| {
        let config = ModelConfig::preset(kind, models::Preset::InkTiny, None);
        let sizes = config.keys().into_iter().filter_map(|(key, value)| match key.name {
            "input" => None,
            "latents" => Some("latents = [1]\n".to_string()),
            name => value.is_integer().then(|| format!("{name} = 1\n")),
        });
        format!("[model]\nkind = '{kind}'\n{}", sizes.collect::<String>())
    })
}

/// Parameters beyond which a model is no use as an input.
const MOST: usize = 1000;

/// The shapes of the model that `text` asks for, if it is small.
pub fn shapes(text: &str) -> Option<Vec<(String, Vec<usize>)>> {
    let config = Config::from_toml(text, Path::new("x"), &Registry::default()).ok()?;
    let small = models::count(&config.model).is_ok_and(|count| count <= MOST);
    small.then(|| models::shapes(&config.model).ok()).flatten()
}

/// What `stcn export` would write of a small model.
pub fn exported(config: &ModelConfig, about: &serde_json::Value) -> Vec<u8> {
    let model = models::build(config, Init::new(1)).expect("a small model");
    let mut dump = Dump::default();
    models::parameters(&*model).iter().for_each(|(path, value)| dump.add(*path, value));
    let path = std::env::temp_dir().join(format!("stcn-fuzz-{}", std::process::id()));
    dump.save(&path, about).expect("a temporary file");
    let bytes = fs::read(&path).expect("just written");
    fs::remove_file(&path).expect("just written");
    bytes
}

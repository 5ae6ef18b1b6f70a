//! The engine of the live page: a trainer in a browser's worker, which `worker.js` calls.
//!
//! Plain exports, no generated bindings. The caller writes what a call takes into [`input`]; the call returns 1, and leaves
//! its result in [`output`], or 0, and leaves a sentence there. Text is UTF-8, numbers are little-endian f32. Not here: what
//! is done with them (`page.js`).

use serde_json::{Value, json};
use stcn::data::{DataSet, Split, Window};
use stcn::inspect::{More, html};
use stcn::models::generate;
use stcn::optim::kl_weight;
use stcn::train::{Checkpoint, Config, Overrides, Plan, Report, Trained, Trainer, evaluate};
use stcn::{Batch, Error, Keep, Noise, Registry, Result, Tape, Tensor};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;

/// All that stays between calls.
#[derive(Default)]
struct State {
    input: Vec<u8>,
    output: Vec<u8>,
    data: Option<DataSet>,
    trainer: Option<Trainer>,
}

thread_local! {
    static STATE: RefCell<State> = RefCell::default();
}

/// Room for `length` bytes that the next call takes.
#[unsafe(no_mangle)]
pub extern "C" fn input(length: usize) -> *mut u8 {
    STATE.with_borrow_mut(|state| {
        state.input = vec![0; length];
        state.input.as_mut_ptr()
    })
}

/// Where the result of the last call is.
#[unsafe(no_mangle)]
pub extern "C" fn output() -> *const u8 {
    STATE.with_borrow(|state| state.output.as_ptr())
}

/// How many bytes it has.
#[unsafe(no_mangle)]
pub extern "C" fn output_length() -> usize {
    STATE.with_borrow(|state| state.output.len())
}

/// Whether this module computes the bits of every other machine; if not, the other module does.
#[unsafe(no_mangle)]
pub extern "C" fn fuses() -> u32 {
    stcn::math::madd_fuses().into()
}

/// Data of one's own for the next [`create`], in place of the embedded handwriting: takes the length and the split (0, 1, 2)
/// of each of `sequences` sequences as u32, behind them the rows of all.
#[unsafe(no_mangle)]
pub extern "C" fn data(sequences: u32, channels: u32) -> u32 {
    answer(|state, input| {
        let (head, rows) = input.split_at(8 * sequences as usize);
        let mut numbers = rows.as_chunks().0.iter().map(|&x| f32::from_le_bytes(x));
        let (mut split, mut parts) = (vec![], vec![]);
        for sequence in head.as_chunks::<8>().0 {
            let [a, b, c, d, part, ..] = *sequence;
            let length = u32::from_le_bytes([a, b, c, d]) as usize;
            parts.push(numbers.by_ref().take(length * channels as usize).collect());
            split.push(part);
        }
        let set = DataSet::from_parts("your data", channels as usize, parts, Some(split))?;
        state.data = Some(set);
        Ok(Output(vec![]))
    })
}

/// A trainer at step 0: takes `{"preset", "model", "head", "init", "set": ["key=value", …]}` as JSON, each as on the command
/// line and each optional; gives what there is to know of it.
#[unsafe(no_mangle)]
pub extern "C" fn create() -> u32 {
    // A panic ends the module: its message is the last output.
    std::panic::set_hook(Box::new(|panic| {
        STATE.set(State { output: panic.to_string().into_bytes(), ..State::default() });
    }));
    answer(|state, input| {
        let asked: Value = serde_json::from_slice(input).unwrap_or_default();
        let word = |name: &str| asked[name].as_str();
        let set = asked["set"].as_array().into_iter().flatten();
        let set: Vec<String> = set.filter_map(Value::as_str).map(String::from).collect();
        let (preset, model, head) = (word("preset"), word("model"), word("head"));
        let overrides = Overrides { preset, model, head, set: &set, ..Overrides::default() };
        state.trainer = None; // its memory is wanted
        let config = Config::resolve(&overrides, &Registry::default())?;
        let trainer = match (word("init"), state.data.take()) {
            (Some("pretrained"), _) => Trainer::from_weights(config, &Trained::pretrained())?,
            (_, Some(data)) => Trainer::with_data(config, data)?,
            (_, None) => Trainer::new(config)?,
        };
        let about = about(&trainer);
        state.trainer = Some(trainer);
        Ok(about.into())
    })
}

/// Other settings from here on, as `stcn train --resume` takes them: a `key=value` on each line.
#[unsafe(no_mangle)]
pub extern "C" fn change() -> u32 {
    answer(|state, input| {
        let trainer = trainer(state)?;
        let mut config = trainer.config().clone();
        String::from_utf8_lossy(input).lines().try_for_each(|line| config.set(line))?;
        config.validate()?;
        let name = Path::new("the page");
        let changed = Trainer::resume(config, trainer.checkpoint(), name, &Registry::default())?;
        let about = about(&changed);
        state.trainer = Some(changed);
        Ok(about.into())
    })
}

/// One update, and its report.
#[unsafe(no_mangle)]
pub extern "C" fn step() -> u32 {
    answer(|state, _| {
        let report = trainer(state)?.step_watched(true)?;
        Ok(reported(&report).into())
    })
}

/// `count` sequences of `steps` steps, as `stcn sample --seed` draws them; takes the raw rows that they continue.
#[unsafe(no_mangle)]
pub extern "C" fn sample(seed: u32, count: u32, steps: u32, temperature: f32) -> u32 {
    answer(|state, input| {
        let trainer = trainer(state)?;
        let raw: Vec<f32> = input.as_chunks().0.iter().map(|&x| f32::from_le_bytes(x)).collect();
        let (channels, normalisation) = (trainer.set().channels(), trainer.normalisation());
        let mut prime = vec![0.; raw.len()];
        normalisation.apply(&raw, &mut prime);
        let n = count as usize;
        let prime = Tensor::new(&[n, raw.len() / channels, channels], prime.repeat(n));
        let (noise, samples) = (Noise::new(seed.into(), "sample"), Vec::from_iter(0..count.into()));
        let steps = steps as usize;
        let drawn = generate(trainer.model(), &prime, steps, &noise, &samples, temperature, |_| ());
        let mut rows = vec![0.; drawn.len()];
        normalisation.undo(drawn.data(), &mut rows);
        Ok(Output(rows.iter().flat_map(|x| x.to_le_bytes()).collect()))
    })
}

/// Sequence `i` of the training part, as raw rows.
#[unsafe(no_mangle)]
pub extern "C" fn line(i: u32) -> u32 {
    answer(|state, _| {
        let set = trainer(state)?.set();
        let rows = set.sequence(set.split(Split::Train)[i as usize])?;
        Ok(Output(rows.iter().flat_map(|x| x.to_le_bytes()).collect()))
    })
}

/// ELBO and IWAE of the test part, as `stcn evaluate --split test --draws --iwae` computes them; no IWAE with 0.
#[unsafe(no_mangle)]
pub extern "C" fn bounds(draws: u32, iwae: u32) -> u32 {
    answer(|state, _| {
        let trainer = trainer(state)?;
        let (draws, iwae) = (draws as usize, iwae as usize);
        let plan = Plan { draws, iwae, ..Plan::new(Split::Test) };
        let (model, set) = (trainer.model(), trainer.set());
        let value = evaluate(model, set, trainer.normalisation(), plan, |_| ())?;
        Ok(json!({ "elbo_seq": value.elbo_seq, "iwae_seq": value.iwae.map(|iwae| iwae.seq) })
            .into())
    })
}

/// The checkpoint of this step, byte by byte that of `stcn train --steps`.
#[unsafe(no_mangle)]
pub extern "C" fn checkpoint() -> u32 {
    answer(|state, _| Ok(Output(saved(trainer(state)?)?.to_bytes())))
}

/// Its SHA-256.
#[unsafe(no_mangle)]
pub extern "C" fn hash() -> u32 {
    answer(|state, _| Ok(Output(saved(trainer(state)?)?.sha256().into_bytes())))
}

/// The norm of the loss's gradient at every named quantity and every step, over the first `steps` of one sequence.
#[unsafe(no_mangle)]
pub extern "C" fn flow(steps: u32) -> u32 {
    answer(|state, _| {
        let trainer = trainer(state)?;
        let (tape, batch) = (Tape::new(), first(trainer, steps)?);
        let grads = tape.backward(trainer.loss(&tape, &batch), Keep::All);
        let steps = batch.lengths[0];
        let mut parameters = vec![];
        trainer.model().visit(&mut |p| parameters.push(p.path().to_string()));
        let mut rows = vec![];
        for x in tape.vars().filter(|x| !x.label().is_empty()) {
            let (name, value) = (x.label(), x.value());
            let Some(grad) = grads.wrt(x).filter(|_| !parameters.contains(&name)) else { continue };
            let shape = value.shape();
            if shape.len() < 2 || shape[0] != 1 || !(steps..=steps + 1).contains(&shape[1]) {
                continue;
            }
            let width = grad.len() / shape[1];
            let norm = |row: &[f32]| {
                row.iter().fold(0., |sum, &x| sum + f64::from(x) * f64::from(x)).sqrt()
            };
            // A row before the first step, of zeros, is left out.
            let norms = grad.data().chunks_exact(width).skip(shape[1] - steps).map(norm);
            rows.push(json!([name, norms.collect::<Vec<f64>>()]));
        }
        Ok(json!(rows).into())
    })
}

/// The page of `stcn inspect --html`, over the first `steps` of one sequence.
#[unsafe(no_mangle)]
pub extern "C" fn pass(steps: u32) -> u32 {
    answer(|state, _| {
        let trainer = trainer(state)?;
        let (tape, batch) = (Tape::new(), first(trainer, steps)?);
        let loss = trainer.loss(&tape, &batch);
        let grads = tape.backward(loss, Keep::All);
        let (config, step) = (trainer.config(), trainer.progress().step);
        let kind = config.model.kind;
        let about = json!({
            "model": kind.name(),
            "run": "the model of the live page",
            "step": step,
            "task": config.model.obs.task.name(),
            "channels": ["dx", "dy", "pen"],
            "sequences": batch.samples.iter().map(|i| i + 1).collect::<Vec<_>>(),
            "lengths": batch.lengths,
            "draws": config.train.draws(),
            "mean": trainer.normalisation().mean,
            "std": trainer.normalisation().std,
            "kl_weight": kl_weight(config.train.kl_anneal, step + 1),
            "loss": f64::from(loss.value().item()),
            "f64": false,
        });
        let more = More { history: None, checks: BTreeMap::new() };
        let page = html(&tape, &grads, trainer.model(), kind.equations(), &about, &more);
        Ok(Output(page.into_bytes()))
    })
}

/// What a call gives back.
struct Output(Vec<u8>);

impl From<Value> for Output {
    fn from(json: Value) -> Self {
        Self(json.to_string().into_bytes())
    }
}

/// Runs a call: its result, or why there is none, is the output.
fn answer(call: impl FnOnce(&mut State, &[u8]) -> Result<Output>) -> u32 {
    let mut state = STATE.take();
    let input = std::mem::take(&mut state.input);
    let result = call(&mut state, &input);
    let ok = result.is_ok();
    state.output = match result {
        Ok(Output(bytes)) => bytes,
        Err(e) => e.to_string().into_bytes(),
    };
    STATE.set(state);
    ok.into()
}

fn trainer(state: &mut State) -> Result<&mut Trainer> {
    state.trainer.as_mut().ok_or_else(|| Error::usage("there is no model yet"))
}

/// The first training sequence, cut to `steps`.
fn first(trainer: &Trainer, steps: u32) -> Result<Batch> {
    let set = trainer.set();
    let whole = Window::whole(set, set.split(Split::Train)[0]);
    let window = Window { steps: whole.steps.min(steps as usize), ..whole };
    Batch::new(set, trainer.normalisation(), &[window], None)
}

/// The state as `stcn train --steps` leaves it: that run ends here, and its last act is to evaluate the validation part.
fn saved(trainer: &mut Trainer) -> Result<Checkpoint> {
    trainer.check_end()?;
    let mut config = trainer.config().clone();
    config.train.steps = trainer.progress().step;
    let mut checkpoint = trainer.checkpoint();
    checkpoint.header.config_toml = config.portable_toml();
    Ok(checkpoint)
}

fn about(trainer: &Trainer) -> Value {
    let mut parameters = 0;
    trainer.model().visit(&mut |p| parameters += p.value.len());
    let config = trainer.config();
    json!({
        "model": config.model.kind.name(),
        "about": config.model.kind.about(),
        "parameters": parameters,
        "step": trainer.progress().step,
        "has_latents": config.model.kind.has_latents(),
        "lines": trainer.set().split(Split::Train).len(),
    })
}

fn reported(report: &Report) -> Value {
    let Report { step, loss, log_px, kl, kl_weight, lr, grad_norm, diagnostics } = report;
    let groups = diagnostics.iter().flat_map(|diagnostics| &diagnostics.groups);
    let groups: Vec<_> = groups.map(|group| json!([group.name, group.grad_norm])).collect();
    json!({
        "step": step,
        "loss": loss,
        "log_px": log_px,
        "kl": kl,
        "kl_weight": kl_weight,
        "lr": lr,
        "grad_norm": grad_norm,
        "groups": groups,
    })
}

//! The rules of the house that a program can check, on `src` read as text; the floors stand in `src/lib.rs`.
//!
//! Comments and strings are blanked first, so that prose may name what code may not. Every rule is a
//! function of sources, and a test at the end shows it sources that break it. `make size` prints
//! [`lines_per_floor`].

use std::fs;
use std::path::{Path, PathBuf};

/// Who stands where, the ground first. A module imports from the floors below its own.
const FLOORS: [(&str, &[&str]); 9] = [
    ("the ground", &["error", "choice", "file", "tensor", "parallel"]),
    ("numbers", &["kernel", "noise"]),
    ("the tape", &["tape", "check"]),
    ("vocabulary", &["ops"]),
    ("probability", &["dist"]),
    ("parts", &["nn", "optim", "data"]),
    ("papers", &["models"]),
    ("practice", &["train", "inspect"]),
    ("the door", &["cli", "main"]),
];

/// Files that belong to no floor: the front page, the book, what tests reach, and the crate of the live page.
const OUTSIDE: [&str; 4] = ["lib", "book", "internals", "web"];

/// Modules that see less than the floors below them, by the highest floor they may see.
const SHORT_SIGHTED: [(&str, usize); 2] = [("data", 1), ("inspect", 5)];

/// Imports from the same floor or from above, each with its reason. One that nobody needs has to go.
const STAIRS: [(&str, &str, &str); 10] = [
    ("choice", "error", "a word that is none of the choices"),
    ("file", "error", "a file that cannot be written"),
    ("parallel", "error", "a pool that does not start"),
    ("tensor", "parallel", "elementwise work is shared out"),
    ("tensor", "kernel", "upwards, for speed: elementwise loops and sums in vectors"),
    ("noise", "kernel", "the quantile's logarithm and polynomials"),
    ("check", "tape", "it looks at passes"),
    ("optim", "nn", "the trait that hands out parameters; no layer"),
    ("train", "inspect", "pictures of what a model draws as it learns"),
    ("main", "cli", "one door"),
];

/// Imports that close a circle of modules in one folder, each with its reason. One that closes none has to go.
const CIRCLES: [(&str, &str, &str); 1] = [("tensor", "kernel", "as in STAIRS")];

/// What `lib.rs` re-exports at the root, and macros, which live there too.
const AT_THE_ROOT: [(&str, &str); 9] = [
    ("Error", "error"),
    ("Result", "error"),
    ("Tape", "tape"),
    ("Var", "tape"),
    ("Real", "tensor"),
    ("Tensor", "tensor"),
    ("rule", "tape"),
    ("module", "nn"),
    ("settings", "models"),
];

/// Files without a twin in `tests`, each with its reason. One that has got a twin has to go.
const NO_TWIN: [(&str, &str); 7] = [
    ("lib.rs", "its example is a doctest"),
    ("internals.rs", "every test goes through it"),
    ("main.rs", "tests/cli starts it as a process"),
    ("data/agreement.rs", "tests/data/npz.rs and tests/data/set.rs read its errors"),
    ("train/ranks/link.rs", "a trait: tests/train/ranks/mod.rs has one by channels"),
    ("train/ranks/mpi.rs", "tests/cli/ranks.rs starts it with mpirun"),
    ("ops/check.rs", "it is a test itself: tests/ops/mod.rs runs it, this file holds it complete"),
];

/// Folders whose public functions and types each have an example that runs.
const WITH_EXAMPLES: [&str; 4] = ["ops/", "dist/", "nn/", "optim/"];

/// Those that have none, each with its reason. One that is not there, or has got an example, has to go.
const NO_EXAMPLE: [(&str, &str, &str); 1] =
    [("ops/check.rs", "checks", "the examples are in it: a line for every op")];

/// Words that only some files may use.
struct Words {
    words: Vec<String>,
    /// Files, or folders with their slash.
    only: &'static [&'static str],
    why: &'static str,
}

fn words() -> Vec<Words> {
    let some = |words: &str, only, why| Words {
        words: words.split(", ").map(String::from).collect(),
        only,
        why,
    };
    let mut all = vec![
        some(
            "rayon, thread::",
            &["parallel/workers.rs", "parallel.rs"],
            "threads are shared out in parallel alone",
        ),
        some(
            "threads(), available_parallelism, current_num_threads, current_thread_index",
            &[
                "parallel.rs",
                "kernel/causal_conv.rs",
                "kernel/skinny_gemm.rs",
                "kernel/recurrent.rs",
                "kernel/weight_grad.rs",
                "train/memory.rs",
                "train/shards.rs",
                "cli/",
            ],
            "how many threads there are decides no number: cut by a constant, or rows and columns of products, or branches of the \
             tree",
        ),
        some(
            ".reduce(, .reduce_with(, .fold_with(, .find_any(, .position_any(",
            &[],
            "rayon's come in any order: parallel::sum",
        ),
        some(
            "Mutex, RwLock, Condvar, mpsc, atomic",
            &[
                "tensor.rs",
                "cli/screen.rs",
                "cli/train.rs",
                "cli/table.rs",
                "cli/profile.rs",
                "parallel.rs",
                "parallel/workers.rs",
                "train/ranks/sum.rs",
            ],
            "who comes first decides no number: parallel::map",
        ),
        some(
            "HashMap, HashSet, RandomState, DefaultHasher",
            &[],
            "their order is luck: a BTreeMap or a Vec",
        ),
        some(
            ".sort_unstable_by(, .sort_unstable_by_key(",
            &[],
            "equals come in an order of std's version: a stable sort",
        ),
        some("thread_local!", &["parallel/workers.rs", "web/lib.rs"], "no state by thread"),
        some("static mut", &[], "no state unguarded"),
        some("Instant, SystemTime", &["cli/", "train/metrics.rs"], "a clock decides no number"),
        some("now()", &["cli/", "train/metrics.rs", "train/fit.rs"], "it is a clock too"),
        some(
            "env::",
            &[
                "kernel/simd.rs",
                "cli/table.rs",
                "cli/colour.rs",
                "cli/ranks.rs",
                "train/ranks/mpi.rs",
            ],
            "who started the program decides no number",
        ),
        some(
            "rand::, rand_core, rand_distr, chacha20",
            &["noise.rs"],
            "a generator remembers: draw from Noise, by address",
        ),
        some(
            "arch::, target_arch, target_feature",
            &["kernel/simd.rs", "kernel/gemm/single.rs"],
            "the CPU is asked in two files",
        ),
        some("debug_assertions", &["tensor.rs"], "debug and release builds make the same bits"),
        some(
            "algebraic_add, algebraic_sub, algebraic_mul, algebraic_div, fadd_fast, fmul_fast",
            &[],
            "the compiler would choose the order",
        ),
        some(
            "_mm_rcp_ps, _mm256_rcp_ps, _mm512_rcp14_ps, _mm_rsqrt_ps, _mm256_rsqrt_ps, \
             _mm512_rsqrt14_ps, vrecpeq_f32, vrsqrteq_f32, _mm_setcsr",
            &[],
            "estimates differ by maker, and subnormals are kept",
        ),
        some("to_ne_bytes, from_ne_bytes", &[], "bytes in the machine's order: to_le_bytes"),
        some(
            ".sum::<f32>, .sum::<f64>, .sum::<Real>, .product::<f32>, .product::<f64>, .product::<Real>",
            &[],
            "std's begins at −0 or at +0, by its version: fold from 0., or parallel::sum",
        ),
        some(
            ".sum()",
            &[
                "ops/reduce.rs",
                "check/gradcheck.rs",
                "train/gradients.rs",
                "data/samples.rs",
                "data/stored.rs",
                "data/unzip.rs",
            ],
            "of what? Name the type of a count; only Tensor's sum of floats has an order",
        ),
        some(".product()", &["tensor.rs"], "of what? Name the type of a count"),
        some(
            "unsafe, unsafe_code",
            &[
                "kernel/gemm/single.rs",
                "kernel/simd.rs",
                "parallel/workers.rs",
                "train/allocator.rs",
                "train/ranks/mpi.rs",
                "web/lib.rs",
            ],
            "five files, with reasons; and the names that a browser calls",
        ),
        some(
            "ndarray, .view()",
            &["tensor.rs", "kernel/gemm.rs", "data/npz.rs"],
            "its sums run in memory order: Tensor's are by index",
        ),
        some(
            "general_mat_mul, .dot(, .sum_axis(, .mean_axis(",
            &["kernel/gemm.rs"],
            "products are kernel::gemm's, sums kernel::reduce's",
        ),
        some(
            "f32::max, f32::min, f64::max, f64::min, Real::max, Real::min",
            &[],
            "of +0 and −0 either may come back: an if",
        ),
        some(
            ".mul_add(, f32::mul_add, f64::mul_add, Real::mul_add",
            &["kernel/simd.rs"],
            "without the CPU feature it calls the C library",
        ),
        some("ops::*", &["dist/", "nn/", "models/"], "the vocabulary's glob is for formulas"),
        some("todo!, unimplemented!, dbg!", &[], "not in a finished house"),
    ];
    let functions = "exp exp2 exp_m1 ln ln_1p log log2 log10 powf powi sin cos tan sin_cos asin acos atan \
        atan2 sinh cosh tanh asinh acosh atanh cbrt hypot gamma ln_gamma";
    let spelled = |f: &str| {
        [format!(".{f}("), format!("f32::{f}"), format!("f64::{f}"), format!("Real::{f}")]
    };
    all.push(Words {
        words: functions.split_whitespace().flat_map(spelled).collect(),
        only: &["kernel/math.rs"],
        why: "std's differ by machine: kernel::math's do not",
    });
    all
}

/// One file of `src`.
struct Source {
    /// From `src` on, with slashes.
    path: String,
    text: String,
    /// The text with every comment and literal blanked, at the same offsets.
    code: String,
}

impl Source {
    fn new(path: impl Into<String>, text: impl Into<String>) -> Self {
        let text = text.into();
        Self { path: path.into(), code: blank(&text), text }
    }

    /// The module of the crate's root that the file belongs to.
    fn module(&self) -> &str {
        let end = self.path.find('/').unwrap_or(self.path.len());
        self.path[..end].trim_end_matches(".rs")
    }

    /// The path of the module, from the root on: `ops/conv` of `ops/conv.rs`, `ops` of `ops/mod.rs`.
    fn module_path(&self) -> &str {
        let path = self.path.trim_end_matches(".rs");
        path.strip_suffix("/mod").unwrap_or(path)
    }

    /// `src/ops/conv.rs:14`
    fn place(&self, offset: usize) -> String {
        format!("src/{}:{}", self.path, 1 + self.text[..offset].matches('\n').count())
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every file below `folder` whose name ends in `.extension`, by path.
fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = vec![];
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path, extension));
        } else if path.extension().is_some_and(|e| e == extension) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// `path` from `folder` on, with slashes.
fn below(path: &Path, folder: &Path) -> String {
    path.strip_prefix(folder).unwrap().to_str().unwrap().replace('\\', "/")
}

fn sources() -> Vec<Source> {
    let src = root().join("src");
    let read = |path: &PathBuf| Source::new(below(path, &src), fs::read_to_string(path).unwrap());
    files(&src, "rs").iter().map(read).collect()
}

/// Spaces instead of comments, strings and characters.
fn blank(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut code = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let length = literal(&text[at..], at > 0 && is_word(bytes[at - 1]));
        for byte in &mut code[at..at + length] {
            *byte = if *byte == b'\n' { b'\n' } else { b' ' };
        }
        at += length.max(1);
        while !text.is_char_boundary(at) {
            at += 1;
        }
    }
    String::from_utf8(code).unwrap()
}

/// How long the comment, string or character is that begins here; 0 if none does.
fn literal(text: &str, inside_word: bool) -> usize {
    let until = |from: usize, end: &str| {
        text[from..].find(end).map_or(text.len(), |i| from + i + end.len())
    };
    if text.starts_with("//") {
        return text.find('\n').unwrap_or(text.len());
    }
    if text.starts_with("/*") {
        let (mut depth, mut at) = (1, 2);
        while depth > 0 && at < text.len() {
            let rest = &text.as_bytes()[at..];
            let step = if rest.starts_with(b"/*") { 1 } else { -1 };
            let edge = rest.starts_with(b"/*") || rest.starts_with(b"*/");
            depth += if edge { step } else { 0 };
            at += if edge { 2 } else { 1 };
        }
        return at;
    }
    let raw = text.strip_prefix("br").or(text.strip_prefix('r')).filter(|_| !inside_word);
    if let Some(raw) = raw {
        let hashes = raw.len() - raw.trim_start_matches('#').len();
        if raw[hashes..].starts_with('"') {
            let opened = text.len() - raw.len() + hashes + 1;
            return until(opened, &format!("\"{}", "#".repeat(hashes)));
        }
    }
    if let Some(string) = text.strip_prefix('"') {
        let mut escaped = false;
        let end = string.find(|c| {
            let ends = c == '"' && !escaped;
            escaped = c == '\\' && !escaped;
            ends
        });
        return end.map_or(text.len(), |i| i + 2);
    }
    if text.starts_with("'\\") {
        return until(3, "'");
    }
    match text.strip_prefix('\'').and_then(|rest| rest.chars().next()) {
        Some(c) if text[1 + c.len_utf8()..].starts_with('\'') => 2 + c.len_utf8(),
        _ => 0, // a lifetime
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Where `word` stands by itself in `code`.
fn find<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    let (bytes, w) = (code.as_bytes(), word.as_bytes());
    let alone = move |&i: &usize| {
        let end = i + w.len();
        let before = is_word(w[0]) && i > 0 && is_word(bytes[i - 1]);
        let after = is_word(w[w.len() - 1]) && end < bytes.len() && is_word(bytes[end]);
        !before && !after
    };
    code.match_indices(word).map(|(i, _)| i).filter(alone)
}

/// Whether `entry`, a file or a folder with its slash, is or holds `path`.
fn covers(entry: &str, path: &str) -> bool {
    path == entry || entry.ends_with('/') && path.starts_with(entry)
}

/// Words that stand where they may not.
fn misplaced(sources: &[Source], rules: &[Words]) -> Vec<String> {
    let mut found = vec![];
    for rule in rules {
        let allowed = |source: &Source| rule.only.iter().any(|only| covers(only, &source.path));
        for source in sources.iter().filter(|source| !allowed(source)) {
            for word in &rule.words {
                let places = find(&source.code, word).map(|i| source.place(i));
                found.extend(places.map(|place| format!("{place}: `{word}`: {}", rule.why)));
            }
        }
    }
    found
}

/// Every path that follows `start` somewhere in the code, its groups taken apart, and where: of `crate::`,
/// `use crate::{Real, ops::{sum, exp}}` gives `Real`, `ops::sum` and `ops::exp`.
fn paths(code: &str, start: &str) -> Vec<(usize, Vec<String>)> {
    let mut found = vec![];
    for at in find(code, start) {
        let mut path = vec![];
        take_path(&code[at + start.len()..], &mut path, &mut |path| {
            found.push((at, path.to_vec()))
        });
    }
    found
}

/// Reads one path, or a group of them, behind `path`; gives what is left of the code.
fn take_path<'a>(
    code: &'a str,
    path: &mut Vec<String>,
    found: &mut dyn FnMut(&[String]),
) -> &'a str {
    let code = code.trim_start();
    if let Some(mut rest) = code.strip_prefix('{') {
        loop {
            rest = take_path(rest, &mut path.clone(), found).trim_start();
            match rest.strip_prefix(',') {
                Some(more) => rest = more,
                None => return rest.strip_prefix('}').unwrap_or(rest),
            }
        }
    }
    let name = first_name(code);
    let rest = &code[name.len()..];
    if !name.is_empty() {
        path.push(name.into());
    }
    match rest.strip_prefix("::").filter(|_| !name.is_empty()) {
        Some(rest) => take_path(rest, path, found),
        None => {
            found(path);
            let renamed = rest.trim_start().strip_prefix("as ");
            renamed.map_or(rest, |rest| &rest.trim_start()[first_name(rest).len()..])
        }
    }
}

/// The first name of every path that starts at the crate's root, and where.
fn imports(source: &Source) -> Vec<(usize, String)> {
    let in_root_file = !source.path.contains('/');
    let starts =
        [("crate::", true), ("stcn::", source.path == "main.rs"), ("super::", in_root_file)];
    let mut found = vec![];
    for (start, _) in starts.into_iter().filter(|(_, at_root)| *at_root) {
        let firsts = paths(&source.code, start).into_iter();
        let firsts = firsts.filter_map(|(at, path)| Some((at, path.into_iter().next()?)));
        // In a file of the root `super` is the root or, in an inner module, the file; of names only modules count.
        found.extend(firsts.filter(|(_, name)| start != "super::" || floor(name).is_some()));
    }
    found
}

/// Imports between two modules of one folder: where, from, to. A folder's own `mod.rs` is none of them, but what it
/// re-exports is the module's that it comes from.
fn neighbours(sources: &[Source]) -> Vec<(String, String, String)> {
    let known =
        |path: &str| sources.iter().any(|source| apart(path, source.module_path()).0.is_empty());
    let mut reexports = vec![];
    for source in sources {
        let folder = source.module_path();
        let folder = if folder == "lib" { "" } else { folder };
        for start in ["pub use ", "pub(crate) use ", "pub(super) use "] {
            for (_, path) in
                paths(&source.code, start).into_iter().filter(|(_, path)| path.len() > 1)
            {
                reexports
                    .push((join(folder, path.last().expect("two names")), join(folder, &path[0])));
            }
        }
    }
    let mut found = vec![];
    for source in sources.iter().filter(|source| !OUTSIDE.contains(&source.module())) {
        let own = source.module_path();
        let folder = own.rsplit_once('/').map_or("", |(folder, _)| folder);
        for (start, base) in [("crate::", ""), ("super::", folder)] {
            for (at, path) in paths(&source.code, start) {
                let mut target = base.to_string();
                for name in &path {
                    let inner = join(&target, name);
                    let origin = reexports.iter().find(|(name, _)| *name == inner);
                    match origin.map(|(_, origin)| origin).or(known(&inner).then_some(&inner)) {
                        Some(inner) => target = inner.clone(),
                        None => break,
                    }
                }
                let (from, to) = apart(own, &target);
                if !from.is_empty() && !to.is_empty() {
                    found.push((source.place(at), from, to));
                }
            }
        }
    }
    found
}

/// `ops/conv`
fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.into() } else { format!("{folder}/{name}") }
}

/// Two paths up to where they part, each with its own last name, or without if it is the folder itself.
fn apart(a: &str, b: &str) -> (String, String) {
    let split = |path: &str| path.split('/').filter(|x| !x.is_empty()).map(String::from).collect();
    let (a, b): (Vec<String>, Vec<String>) = (split(a), split(b));
    let same = a.iter().zip(&b).take_while(|(a, b)| a == b).count();
    let up_to = |path: &[String]| path.get(..=same).map_or(String::new(), |path| path.join("/"));
    (up_to(&a), up_to(&b))
}

/// Imports that lie on a circle of modules in one folder, and exceptions that close none.
fn circles(sources: &[Source], exceptions: &[(&str, &str, &str)]) -> Vec<String> {
    let all = neighbours(sources);
    let excused = |from: &str, to: &str| exceptions.iter().any(|e| (e.0, e.1) == (from, to));
    let leads = |start: &str, end: &str| {
        let mut reached = vec![start.to_string()];
        let mut next = 0;
        while let Some(from) = reached.get(next).cloned() {
            next += 1;
            for (_, _, to) in all.iter().filter(|(_, a, b)| *a == from && !excused(a, b)) {
                if !reached.contains(to) {
                    reached.push(to.clone());
                }
            }
        }
        reached.iter().any(|module| module == end)
    };
    let mut found = vec![];
    for (place, from, to) in all.iter().filter(|(_, from, to)| !excused(from, to)) {
        if leads(to, from) {
            found.push(format!("{place}: {from} imports {to}, which leads back to it"));
        }
    }
    found.dedup();
    for (from, to, _) in exceptions {
        let used = all.iter().any(|(_, a, b)| a == from && b == to) && leads(to, from);
        if !used {
            found.push(format!("CIRCLES: from {from} to {to} there is no circle"));
        }
    }
    found
}

fn first_name(path: &str) -> &str {
    let path = path.trim_start();
    &path[..path.bytes().position(|b| !is_word(b)).unwrap_or(path.len())]
}

/// On which floor a module stands.
fn floor(module: &str) -> Option<usize> {
    FLOORS.iter().position(|(_, modules)| modules.contains(&module))
}

/// Imports that lead to the same floor or upwards, and stairs that lead nowhere.
fn climbing(sources: &[Source]) -> Vec<String> {
    let (mut found, mut used) = (vec![], vec![]);
    for source in sources.iter().filter(|source| !OUTSIDE.contains(&source.module())) {
        let from = source.module();
        let Some(own) = floor(from) else {
            found.push(format!("src/{}: stands on no floor", source.path));
            continue;
        };
        let grandparent = find(&source.code, "super::super").map(|i| source.place(i));
        found.extend(grandparent.map(|place| format!("{place}: `super::super`: say `crate::`")));
        let highest = SHORT_SIGHTED.iter().find(|(module, _)| *module == from);
        let highest = highest.map_or(own as isize - 1, |(_, floor)| *floor as isize);
        for (at, name) in imports(source) {
            let to = AT_THE_ROOT.iter().find(|(root, _)| *root == name);
            let to = to.map_or(name.as_str(), |(_, to)| to);
            let stairs = STAIRS.iter().position(|stairs| (stairs.0, stairs.1) == (from, to));
            used.extend(stairs);
            let fine = to == from
                || stairs.is_some()
                || floor(to).is_some_and(|to| to as isize <= highest);
            if !fine {
                let there = floor(to).map_or("no floor".into(), |to| format!("floor {to}"));
                let place = source.place(at);
                found.push(format!("{place}: {from} (floor {own}) imports {to} ({there})"));
            }
        }
    }
    let idle = STAIRS.iter().enumerate().filter(|(i, _)| !used.contains(i));
    found.extend(idle.map(|(_, (from, to, _))| format!("STAIRS: {from} no longer imports {to}")));
    found
}

/// Names of the rules in `src/ops`, in order of files: of `rule! { SUM: "sum", … }`, and of the rows of tables, which
/// begin with `tanh(` or `Add::add`.
fn rules(sources: &[Source]) -> Vec<(String, String)> {
    let mut found = vec![];
    for source in sources.iter().filter(|source| source.module() == "ops") {
        for at in find(&source.code, "rule! {") {
            let name = source.text[at..].split('"').nth(1).unwrap_or("");
            found.push((source.place(at), name.to_string()));
        }
        for table in ["functions! {", "operators! {"] {
            let Some(start) = find(&source.code, table).next() else { continue };
            let end = start + source.code[start..].find("\n}").unwrap_or(0);
            let mut at = start;
            for line in source.code[start..end].lines() {
                let row = line.strip_prefix("    ").unwrap_or("").trim_end();
                let name = row.strip_suffix(')').map_or(row, |row| row.split('(').next().unwrap());
                let name = name.split("::").last().unwrap_or(name);
                if !name.is_empty() && name.bytes().all(is_word) {
                    found.push((source.place(at), name.to_string()));
                }
                at += line.len() + 1;
            }
        }
    }
    found
}

/// Rules without a line in `ops::checks`, and lines without a rule.
fn unchecked(sources: &[Source]) -> Vec<String> {
    let check =
        sources.iter().find(|source| source.path == "ops/check.rs").expect("src/ops/check.rs");
    let lines =
        find(&check.code, "check(").filter_map(|at| check.text[at..].strip_prefix("check(\""));
    let checked: Vec<&str> = lines.filter_map(|line| line.split('"').next()).collect();
    let rules = rules(sources);
    let lonely = rules.iter().filter(|(_, name)| !checked.contains(&name.as_str()));
    let mut found: Vec<_> = lonely
        .map(|(place, name)| format!("{place}: rule `{name}` is in no gradient check"))
        .collect();
    let idle = checked.iter().filter(|name| !rules.iter().any(|(_, rule)| rule == *name));
    found.extend(idle.map(|name| format!("src/ops/check.rs: no rule is called `{name}`")));
    found
}

/// Where the tests of a file of `src` may stand: `ops/conv.rs`, or one file for a whole folder.
fn twins(path: &str) -> Vec<String> {
    let folder = path.rsplit_once('/').map(|(folder, _)| format!("{folder}.rs"));
    [Some(path.to_string()), folder].into_iter().flatten().collect()
}

fn has_twin(path: &str, tests: &[&str]) -> bool {
    twins(path).iter().any(|twin| tests.contains(&twin.as_str()))
}

/// Files without a twin or a reason, and reasons that are none any more.
fn without_twin(sources: &[&str], tests: &[&str], excused: &[(&str, &str)]) -> Vec<String> {
    let mut found = vec![];
    for path in sources {
        let excuse = excused.iter().any(|(excused, _)| path == excused);
        if excuse && has_twin(path, tests) {
            found.push(format!("NO_TWIN: {path} has a twin"));
        } else if !excuse && !has_twin(path, tests) {
            found.push(format!(
                "src/{path}: no twin: want tests/{}",
                twins(path).join(" or tests/")
            ));
        }
    }
    let gone = excused.iter().filter(|(path, _)| !sources.contains(path));
    found.extend(gone.map(|(path, _)| format!("NO_TWIN: src/{path} is not there")));
    found
}

/// What is public in `lib.rs` and not in its table of modules with a reason, or in the table and not public;
/// re-exports of everything at once; what is hidden besides [`INTERNALS`].
fn uncurated(lib: &Source) -> Vec<String> {
    let (text, code) = (&lib.text, &lib.code);
    let public = find(code, "pub mod").filter(|at| !text[..*at].ends_with("#[doc(hidden)]\n"));
    let public: Vec<(usize, &str)> =
        public.map(|at| (at, first_name(&code[at + "pub mod".len()..]))).collect();
    let rows = text.lines().filter_map(|line| line.strip_prefix("//! | [`"));
    let rows: Vec<&str> = rows.filter_map(|row| row.split_once("`] | ")).map(|row| row.0).collect();
    let bare = public.iter().filter(|(_, name)| !rows.contains(name));
    let mut found: Vec<String> = bare
        .map(|(at, name)| {
            format!("{}: `{name}` is public, and no row of the table says why", lib.place(*at))
        })
        .collect();
    let idle = rows.iter().filter(|row| !public.iter().any(|(_, name)| name == *row));
    found.extend(idle.map(|row| format!("src/lib.rs: the table has `{row}`, which is not public")));
    let globs = paths(code, "pub use ").into_iter();
    let globs = globs.filter(|(at, _)| code[*at..].split(';').next().unwrap_or("").contains('*'));
    found.extend(globs.map(|(at, _)| format!("{}: name what is re-exported", lib.place(at))));
    for (at, _) in text.match_indices("#[doc(hidden)]") {
        let start = text[..at].rfind("#[cfg").unwrap_or(at);
        if !text[start..].starts_with(INTERNALS) {
            found.push(format!("{}: hidden, and not behind the feature", lib.place(at)));
        }
    }
    found
}

/// The one module that is public and no API.
const INTERNALS: &str = "#[cfg(feature = \"internals\")]\n#[doc(hidden)]\npub mod internals;";

/// Files that do not begin by saying what belongs there.
fn wordless(sources: &[Source]) -> Vec<String> {
    let wordless = sources.iter().filter(|source| !source.text.starts_with("//! "));
    wordless.map(|source| format!("src/{}: does not begin with `//! `", source.path)).collect()
}

/// Public functions, types and traits without an example in their documentation. Those of macros and methods are
/// not seen: they are indented.
fn without_example(sources: &[Source], exceptions: &[(&str, &str, &str)]) -> Vec<String> {
    let (mut found, mut used) = (vec![], vec![]);
    let examined = |source: &&Source| WITH_EXAMPLES.iter().any(|w| source.path.starts_with(w));
    for source in sources.iter().filter(examined) {
        let mut example = false;
        for (i, line) in source.text.lines().enumerate() {
            if line.starts_with("/// ```") {
                example = true;
            }
            if line.starts_with("///") || line.starts_with("#[") {
                continue;
            }
            let item = ["fn ", "struct ", "enum ", "trait "]
                .iter()
                .find_map(|kind| line.strip_prefix("pub ")?.strip_prefix(kind));
            if let Some(name) = item.map(first_name).filter(|_| !example) {
                let excused = exceptions.iter().position(|e| (e.0, e.1) == (&source.path, name));
                match excused {
                    Some(i) => used.push(i),
                    None => {
                        found.push(format!("src/{}:{}: {name} has no example", source.path, i + 1))
                    }
                }
            }
            example = false;
        }
    }
    let idle = exceptions.iter().enumerate().filter(|(i, _)| !used.contains(i));
    found.extend(idle.map(|(_, e)| format!("NO_EXAMPLE: {} of {} needs no exception", e.1, e.0)));
    found
}

/// Decisions that are long, misnumbered or not in the book.   notes: (file name, text)
fn undecided(book: &str, notes: &[(String, String)]) -> Vec<String> {
    let mut found = vec![];
    for (i, (name, text)) in notes.iter().enumerate() {
        let lines = text.lines().count();
        if lines > 40 {
            found.push(format!("{name}: {lines} lines, want 40 at most"));
        }
        if !name.starts_with(&format!("{:04}-", i + 1))
            || !text.starts_with(&format!("# {:04} ", i + 1))
        {
            found.push(format!("{name}: want number {:04} in its name and its title", i + 1));
        }
        if !book.contains(&format!("include_str!(\"decisions/{name}\")")) {
            found.push(format!("{name}: not in src/book/mod.rs"));
        }
    }
    found
}

#[track_caller]
fn none(found: Vec<String>) {
    assert!(
        found.is_empty(),
        "{} against the rules of the house:\n{}",
        found.len(),
        found.join("\n")
    );
}

#[test]
fn modules_import_only_from_floors_below() {
    none(climbing(&sources()));
}

#[test]
fn no_modules_of_a_folder_import_each_other_in_a_circle() {
    none(circles(&sources(), &CIRCLES));
}

#[test]
fn words_stand_only_where_they_may() {
    none(misplaced(&sources(), &words()));
}

#[test]
fn every_rule_is_in_a_gradient_check() {
    let sources = sources();
    assert!(rules(&sources).len() > 25, "tidy no longer sees the rules in src/ops");
    none(unchecked(&sources));
}

#[test]
fn every_file_has_a_twin_in_tests() {
    let (sources, tests) = (sources(), root().join("tests"));
    let paths: Vec<&str> = sources.iter().map(|source| source.path.as_str()).collect();
    let tests: Vec<String> = files(&tests, "rs").iter().map(|path| below(path, &tests)).collect();
    let tests: Vec<&str> = tests.iter().map(String::as_str).collect();
    none(without_twin(&paths, &tests, &NO_TWIN));
}

#[test]
fn every_public_module_has_its_reason_on_the_front_page() {
    let sources = sources();
    let lib = sources.iter().find(|source| source.path == "lib.rs").expect("src/lib.rs");
    assert!(lib.text.contains(INTERNALS), "{INTERNALS}");
    none(uncurated(lib));
}

#[test]
fn a_crate_of_somebody_elses_sees_no_internals() {
    let outsider = root().join("tests/outsider");
    let mut files = files(&outsider, "rs");
    files.extend([outsider.join("Cargo.toml"), root().join("src/book/your-own.md")]);
    assert!(files.len() > 5, "{files:?}");
    files.retain(|file| fs::read_to_string(file).unwrap().contains("internals"));
    assert_eq!(files, [""; 0].map(PathBuf::from));
}

#[test]
fn every_file_says_what_belongs_there() {
    none(wordless(&sources()));
}

#[test]
fn every_op_layer_distribution_and_optimiser_has_an_example() {
    none(without_example(&sources(), &NO_EXAMPLE));
}

#[test]
fn decisions_are_short_numbered_and_in_the_book() {
    let book = root().join("src/book");
    let notes = files(&book.join("decisions"), "md");
    let name = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().to_string();
    let notes: Vec<_> =
        notes.iter().map(|path| (name(path), fs::read_to_string(path).unwrap())).collect();
    assert!(!notes.is_empty(), "no decisions");
    none(undecided(&fs::read_to_string(book.join("mod.rs")).unwrap(), &notes));
}

/// A look, not a limit.
#[test]
fn lines_per_floor() {
    let sources = sources();
    let lines = |source: &Source| source.text.lines().count();
    let total = |modules: &[&str]| {
        sources.iter().filter(|source| modules.contains(&source.module())).map(lines).sum::<usize>()
    };
    for (i, (name, modules)) in FLOORS.iter().enumerate() {
        let each: Vec<_> =
            modules.iter().map(|module| format!("{module} {}", total(&[*module]))).collect();
        println!("{i}  {name:12}{:6}   {}", total(modules), each.join(" · "));
    }
    println!("   {:12}{:6}", "outside", total(&OUTSIDE));
    println!("   {:12}{:6}\n", "in all", sources.iter().map(lines).sum::<usize>());
    let mut longest: Vec<_> = sources.iter().map(|source| (lines(source), &source.path)).collect();
    longest.sort_by(|a, b| b.cmp(a));
    for (lines, path) in longest.iter().take(10) {
        println!("{lines:6}  src/{path}");
    }
}

mod seen_red {
    //! Every rule on sources that break it.

    use super::*;

    fn complaints(path: &str, text: &str) -> Vec<String> {
        climbing(&[Source::new(path, text)])
            .into_iter()
            .filter(|c| !c.starts_with("STAIRS"))
            .collect()
    }

    #[test]
    fn an_import_from_above_or_beside() {
        for (path, text) in [
            ("tape/mod.rs", "use crate::ops::sum;"),
            ("kernel/math.rs", "fn f(x: crate::Var) {}"),
            ("ops/sum.rs", "use crate::{Real, tape::{Rule, Var}, dist::Normal};"),
            ("ops/sum.rs", "use crate::{\n    Real,\n    nn::Linear\n};"),
            ("nn/conv.rs", "use crate::data::Batch;"),
            ("data/set.rs", "use crate::tape::Tape;"),
            ("inspect/dot.rs", "use crate::models;"),
            ("tensor.rs", "use super::noise::Noise;"),
            ("nn/conv.rs", "use super::super::models;"),
            ("ops/sum.rs", "$crate::module!(Sum: x);"),
            ("models/rnn.rs", "use crate::attic::Trunk;"),
            ("attic/trunk.rs", "use crate::Real;"),
        ] {
            assert_eq!(complaints(path, text).len(), 1, "{path}: {text}");
        }
        for (path, text) in [
            (
                "ops/sum.rs",
                "use crate::{Real, tape::{Rule, Var}}; use super::check; mod a { use super::*; }",
            ),
            ("tensor.rs", "use crate::kernel::{reduce, simd::vectorise}; mod a { use super::*; }"),
            (
                "tape/mod.rs",
                "//! use crate::ops::sum;\n/* crate::nn */ const A: &str = \"crate::ops\";",
            ),
            ("main.rs", "stcn::cli::run(args)"),
            ("lib.rs", "pub use crate::cli::Args;"),
        ] {
            assert_eq!(complaints(path, text), [""; 0], "{path}: {text}");
        }
        assert_eq!(climbing(&[]).len(), STAIRS.len(), "stairs that nobody uses");
    }

    #[test]
    fn modules_that_import_each_other() {
        let found = |files: &[(&str, &str)], exceptions: &[(&str, &str, &str)]| {
            let sources = files.iter().map(|(path, text)| Source::new(*path, *text));
            circles(&sources.collect::<Vec<_>>(), exceptions)
        };
        for (files, count) in [
            (vec![("nn/a.rs", "use super::b::B;"), ("nn/b.rs", "use crate::nn::a::A;")], 2),
            (
                vec![
                    ("nn/a.rs", "fn f() { super::b::f() }"),
                    ("nn/b.rs", "use super::{c, a};"),
                    ("nn/c.rs", ""),
                ],
                2,
            ),
            // Three in a row, and a fourth that only looks on.
            (
                vec![
                    ("nn/a.rs", "use super::b::B;"),
                    ("nn/b.rs", "use super::c::C;"),
                    ("nn/c.rs", "use super::{a::{A, X as Y}, Z};"),
                    ("nn/d.rs", "use super::a::A;"),
                ],
                3,
            ),
            // By what the folder re-exports.
            (
                vec![
                    ("nn/mod.rs", "pub use a::{X, A};"),
                    ("nn/a.rs", "use super::b::B;"),
                    ("nn/b.rs", "use super::A;"),
                ],
                2,
            ),
            // A folder among files, from within.
            (
                vec![
                    ("nn/a/mod.rs", ""),
                    ("nn/a/x.rs", "use crate::nn::b::B;"),
                    ("nn/b.rs", "use super::a::x::X;"),
                ],
                2,
            ),
            (
                vec![
                    ("noise.rs", "use crate::kernel::math;"),
                    ("kernel/math.rs", "use crate::noise::Noise;"),
                ],
                2,
            ),
            // A folder and its own files are one.
            (
                vec![
                    ("nn/mod.rs", "mod a; use a::A;"),
                    ("nn/a.rs", "use super::Init; use crate::nn::X;"),
                ],
                0,
            ),
            (
                vec![
                    ("nn/a.rs", "use super::b::B;"),
                    ("nn/b.rs", "// super::a\nmod inner { use super::B; }"),
                ],
                0,
            ),
        ] {
            assert_eq!(found(&files, &[]).len(), count, "{files:?}");
        }
        let files = [("nn/a.rs", "use super::b::B;"), ("nn/b.rs", "use super::a::A;")];
        assert_eq!(found(&files, &[("nn/a", "nn/b", "")]), [""; 0]);
        let idle = "CIRCLES: from nn/a to nn/b there is no circle";
        assert_eq!(found(&files[..1], &[("nn/a", "nn/b", "")]), [idle]);
    }

    #[test]
    fn every_word_where_it_may_not_stand() {
        for rule in words() {
            for word in &rule.words {
                let one = [Words { words: vec![word.clone()], ..rule }];
                let count =
                    |path: &str, text: String| misplaced(&[Source::new(path, text)], &one).len();
                let alone = is_word(word.as_bytes()[0]);
                assert_eq!(
                    count("ops/sum.rs", format!("let y = x{word} z;")),
                    usize::from(!alone),
                    "{word}"
                );
                assert_eq!(count("ops/sum.rs", format!("let y = \n {word} z;")), 1, "{word}");
                assert_eq!(
                    count("ops/sum.rs", format!("// {word}\n/// {word}\n/* {word} */")),
                    0,
                    "{word}"
                );
                assert_eq!(
                    count("ops/sum.rs", format!("\"{word}\" r#\"\" {word}\"#")),
                    0,
                    "{word}"
                );
                for only in rule.only {
                    let path =
                        if only.ends_with('/') { format!("{only}a.rs") } else { only.to_string() };
                    assert_eq!(count(&path, format!("let y = {word} z;")), 0, "{word} in {path}");
                }
            }
        }
    }

    #[test]
    fn a_rule_without_a_check_and_a_check_without_a_rule() {
        let op = |name: &str| {
            let text = format!("rule! {{ RULE: \"{name}\",\n    forward: \"\", vjp: \"\" }}");
            Source::new("ops/op.rs", text)
        };
        let checks = || Source::new("ops/check.rs", "check(\"sum\", &ab); // check(\"max\", &ab)");
        assert_eq!(unchecked(&[op("sum"), checks()]), [""; 0]);
        let found = unchecked(&[op("max"), checks()]);
        assert_eq!(found[0], "src/ops/op.rs:1: rule `max` is in no gradient check");
        assert_eq!(found[1], "src/ops/check.rs: no rule is called `sum`");
        let table = "functions! {\n    /// Its example.\n    max(k)\n        \"y = k\" |x| k;\n\n    sum()\n}";
        let found = unchecked(&[Source::new("ops/table.rs", table), checks()]);
        assert_eq!(found, ["src/ops/table.rs:3: rule `max` is in no gradient check"]);
        let table = "operators! {\n    Max::max\n        \"z = x\" |x, y| x;\n    Sum::sum\n}";
        let found = unchecked(&[Source::new("ops/table.rs", table), checks()]);
        assert_eq!(found, ["src/ops/table.rs:2: rule `max` is in no gradient check"]);
    }

    #[test]
    fn a_file_without_a_twin() {
        let missing = |src: &str, tests: &[&str]| without_twin(&[src], tests, &[]);
        assert_eq!(missing("ops/new.rs", &["ops/mod.rs", "new.rs"]).len(), 1);
        assert_eq!(missing("ops/new.rs", &["ops/new.rs"]), [""; 0]);
        assert_eq!(missing("data/handwriting/hand.rs", &["data/handwriting.rs"]), [""; 0]);
        let excused = [("lib.rs", "a reason")];
        assert_eq!(without_twin(&["lib.rs"], &[], &excused), [""; 0]);
        assert_eq!(
            without_twin(&["lib.rs"], &["lib.rs"], &excused),
            ["NO_TWIN: lib.rs has a twin"]
        );
        assert_eq!(without_twin(&[], &[], &excused), ["NO_TWIN: src/lib.rs is not there"]);
    }

    #[test]
    fn a_module_without_a_reason_and_a_reason_without_a_module() {
        let found = |text: &str| uncurated(&Source::new("lib.rs", text)).len();
        let fine = "//! | [`ops`] | who writes a formula |\n\npub mod ops;\nmod kernel;\npub use ops::{sum, exp};\n";
        assert_eq!(found(fine), 0);
        assert_eq!(found(&format!("{fine}{INTERNALS}")), 0);
        for more in [
            "pub mod kernel;",
            "pub mod math { }",
            "//! | [`nn`] | who builds a model |",
            "pub use nn::*;",
            "#[doc(hidden)]\npub mod attic;",
            "#[doc(hidden)]\npub use nn::Init;",
            "#[cfg(feature = \"f64\")]\n#[doc(hidden)]\npub mod internals;",
        ] {
            assert_eq!(found(&format!("{fine}{more}")), 1, "{more}");
        }
    }

    #[test]
    fn a_file_without_words_and_a_decision_outside_the_book() {
        assert_eq!(wordless(&[Source::new("ops/a.rs", "use crate::Real;")]).len(), 1);
        let book = "include_str!(\"decisions/0001-tape.md\")";
        let note = |name: &str, text: &str| [(name.to_string(), text.to_string())];
        assert_eq!(undecided(book, &note("0001-tape.md", "# 0001 Tape\n")), [""; 0]);
        assert_eq!(undecided(book, &note("0001-tape.md", "# 0002 Tape\n")).len(), 1);
        assert_eq!(
            undecided(book, &note("0001-tape.md", &format!("# 0001 Tape{}", "\nlong".repeat(40))))
                .len(),
            1
        );
        assert_eq!(undecided(book, &note("0003-f32.md", "# 0003 f32\n")).len(), 2);
    }

    #[test]
    fn a_layer_without_an_example() {
        let found = |path: &str, text: &str| without_example(&[Source::new(path, text)], &[]);
        let bare = "/// A layer.\n#[derive(Clone)]\npub struct Gate;\n";
        let shown = "/// A layer.\n///\n/// ```\n/// let x = 1;\n/// ```\n#[derive(Clone)]\npub struct Gate;\n";
        assert_eq!(found("nn/gate.rs", bare), ["src/nn/gate.rs:3: Gate has no example"]);
        assert_eq!(found("nn/gate.rs", shown), [""; 0]);
        assert_eq!(found("cli/gate.rs", bare), [""; 0]);
        for item in ["pub fn f(x: Var) -> Var {", "pub enum Stack {", "pub trait Module {"] {
            assert_eq!(found("nn/a.rs", &format!("/// Something.\n{item}")).len(), 1, "{item}");
            // The example of the item before is not its own.
            assert_eq!(
                found("nn/a.rs", &format!("{shown}\n/// Something.\n{item}")).len(),
                1,
                "{item}"
            );
        }
        assert_eq!(found("nn/a.rs", "pub(super) fn f() {}\nfn g() {}\nstruct A;"), [""; 0]);
        let excused = [("nn/gate.rs", "Gate", "a reason")];
        assert_eq!(without_example(&[Source::new("nn/gate.rs", bare)], &excused), [""; 0]);
        let idle = "NO_EXAMPLE: Gate of nn/gate.rs needs no exception";
        assert_eq!(without_example(&[Source::new("nn/gate.rs", shown)], &excused), [idle]);
    }

    #[test]
    fn comments_and_literals_are_blank_and_nothing_else() {
        for (text, code) in [
            ("a // b\nc", "a     \nc"),
            ("a /* b /* c */ d */ e", "a                   e"),
            (r#"a("\"b", 'c', '\'', '"') + d"#, "a(     ,    ,     ,    ) + d"),
            (r##"r"a" br#"b"c"# for r in x"##, "               for r in x"),
            ("fn f<'t>(x: &'t str)", "fn f<'t>(x: &'t str)"),
            ("\"Σ\" + 'σ'", "     +     "),
        ] {
            assert_eq!(blank(text).trim_end(), code.trim_end(), "{text}");
        }
    }
}

//! The live page of `make web`, used in headless Chromium as a reader would, against the binary.
//!
//! Needs `target/web` and Chromium, and says so where they are missing.

use crate::common::{Lab, says};
use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The page as it was built last.
fn built() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("web")
}

/// Where the page is not built, or not from these sources, or nothing can show it: why.
fn missing() -> Option<String> {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/web");
    for name in ["index.html", "page.css", "page.js", "worker.js"] {
        let (here, there) = (fs::read(sources.join(name)).unwrap(), fs::read(built().join(name)));
        if there.ok() != Some(here) {
            return Some(format!("no {name} as it is here in {} (make web)", built().display()));
        }
    }
    let absent = |name: &&&str| !built().join(name).is_file();
    if let Some(name) = ["plain.wasm", "relaxed.wasm"].iter().find(absent) {
        return Some(format!("no {name} in {} (make web)", built().display()));
    }
    chromium().is_none().then(|| "no chromium (apt-get install chromium)".into())
}

fn chromium() -> Option<&'static str> {
    let found = |name: &&str| Command::new(name).arg("--version").output().is_ok();
    ["chromium", "chromium-browser", "google-chrome"].into_iter().find(found)
}

/// Serves the page with `driver` in it, until the driver posts what it found. The files of `broken` are no modules.
fn serve(listener: &TcpListener, driver: &str, broken: &[&str]) -> Value {
    for stream in listener.incoming() {
        // Chromium opens connections that it does not use.
        let Some((line, body)) = request(stream.as_ref().unwrap()) else { continue };
        let path = line.split(' ').nth(1).unwrap_or_default();
        if line.starts_with("POST") {
            answer(stream.unwrap(), "", Some(vec![])); // else `fetch` could fail before the browser is stopped
            return serde_json::from_slice(&body).unwrap();
        }
        let name = if path == "/" { "index.html" } else { &path[1..] };
        let bytes = match name {
            "driver.js" => Ok(driver.as_bytes().to_vec()),
            "index.html" => fs::read(built().join(name)).map(|bytes| {
                let text = String::from_utf8(bytes).unwrap();
                text.replace("</body>", "<script src=\"driver.js\"></script></body>").into_bytes()
            }),
            _ if broken.contains(&name) => Ok(b"no module".to_vec()),
            _ => fs::read(built().join(name)),
        };
        answer(stream.unwrap(), name, bytes.ok());
    }
    unreachable!("a listener does not end")
}

/// The first line of a request, and its body.
fn request(stream: &TcpStream) -> Option<(String, Vec<u8>)> {
    let mut reader = BufReader::new(stream);
    let (mut first, mut length) = (String::new(), 0);
    reader.read_line(&mut first).ok().filter(|&n| n > 0)?;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let line = line.trim().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(n) = line.strip_prefix("content-length:") {
            length = n.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some((first, body))
}

fn answer(mut stream: TcpStream, name: &str, bytes: Option<Vec<u8>>) {
    let kind = match name.rsplit('.').next().unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "css" => "text/css",
        "js" => "text/javascript",
        _ => "application/wasm",
    };
    let status = if bytes.is_some() { "200 OK" } else { "404 Not Found" };
    let bytes = bytes.unwrap_or_default();
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        bytes.len()
    );
    // It may have closed the connection meanwhile: then it does not want the answer.
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&bytes));
}

/// What the page says after the driver has followed `script`; `None`, with a message, where it cannot be shown.
fn used(lab: &Lab, script: &str, broken: &[&str]) -> Option<Value> {
    if let Some(why) = missing() {
        println!("skipped: {why}");
        return None;
    }
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let log = lab.path("chromium.log");
    let mut chromium = Command::new(chromium()?)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"])
        .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
        .args(["--enable-logging=stderr", "--window-size=1280,900", "--remote-debugging-port=0"])
        .arg("--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1")
        .arg(format!("--user-data-dir={}", lab.path("profile").display()))
        .arg(format!("http://{address}/"))
        .stdout(Stdio::null())
        .stderr(fs::File::create(&log).unwrap())
        .spawn()
        .unwrap();
    let driver = include_str!("web.js").replace("{script}", script);
    let found = serve(&listener, &driver, broken);
    chromium.kill().unwrap();
    chromium.wait().unwrap();
    let log = fs::read_to_string(log).unwrap();
    let console: Vec<&str> = log.lines().filter(|line| line.contains("CONSOLE")).collect();
    assert_eq!(console, [""; 0], "the console is silent");
    assert_eq!(found["errors"], Value::Array(vec![]));
    assert_eq!(found["from"], Value::Array(vec![format!("http://{address}").into()]));
    Some(found)
}

/// Runs the commands that the page shows, the binary under test in place of `stcn`; gives the hash of the last checkpoint.
fn trained(lab: &Lab, commands: &str) -> String {
    let mut hash = String::new();
    for command in commands.lines() {
        let words = command.strip_prefix("stcn ").unwrap();
        let last = lab.json(words).pop().unwrap();
        hash = last["checkpoint_sha256"].as_str().unwrap().into();
    }
    hash
}

fn text<'a>(found: &'a Value, key: &str) -> &'a str {
    found[key].as_str().unwrap_or_else(|| panic!("{key} in {found}"))
}

#[test]
fn fifty_updates_in_the_browser_are_the_file_that_the_shown_command_makes_and_the_samples_are_equal()
 {
    let lab = Lab::new();
    let script = "await trained(50); found.sample = await drawn();";
    let Some(found) = used(&lab, script, &[]) else { return };
    assert_eq!(trained(&lab, text(&found, "command")), text(&found, "hash"));
    lab.ok("sample runs/page --count 2 --steps 60 --seed 1 --temperature 0.7 --out drawn");
    let (flat, _) = crate::data::npz::read(lab.path("drawn/sample.npz")).unwrap();
    let bits: Vec<u32> = flat.samples.iter().map(|x| x.to_bits()).collect();
    let there: Vec<u32> =
        found["sample"].as_array().unwrap().iter().map(|x| x.as_u64().unwrap() as u32).collect();
    assert_eq!(bits, there);
    // What is shown of it.
    assert_eq!(found["samples"], 3, "after 0, 25 and 50 updates");
    for (id, says_) in [("loss", "loss "), ("kl", "kl.1 "), ("norms", "tcn "), ("flow", "d.1")] {
        says(text(&found["charts"], id), &[says_]);
    }
    says(text(&found, "state"), &["stcn-dense", "update 50", "ms an update"]);
}

#[test]
fn settings_that_change_on_the_way_are_in_the_commands() {
    let lab = Lab::new();
    let script = "await choose('model', 'vrnn'); await trained(4); await choose('lr', '0.0005'); await trained(7);
        await choose('anneal', '0'); await choose('draws', '4'); await trained(9);";
    let Some(found) = used(&lab, script, &[]) else { return };
    let commands = text(&found, "command");
    says(
        commands,
        &["--model vrnn --steps 4", "--steps 7", "train.lr=0.0005", "train.objective=iwae"],
    );
    assert_eq!(commands.lines().count(), 3, "{commands}");
    assert_eq!(trained(&lab, commands), text(&found, "hash"));
}

#[test]
fn other_latents_and_the_weights_that_come_with_stcn_are_in_the_commands() {
    let lab = Lab::new();
    let script =
        "await choose('latents', '[16,8]'); await trained(3); found.init = byId('init').disabled;";
    let Some(found) = used(&lab, script, &[]) else { return };
    assert_eq!(found["init"], true, "those weights are of other sizes");
    says(text(&found, "command"), &["model.latents=[16,8]"]);
    assert_eq!(trained(&lab, text(&found, "command")), text(&found, "hash"));
    let lab = Lab::new();
    let found = used(&lab, "await choose('init', 'pretrained'); await trained(3);", &[]).unwrap();
    says(text(&found, "command"), &["--init pretrained --steps 3"]);
    assert_eq!(trained(&lab, text(&found, "command")), text(&found, "hash"));
}

#[test]
fn without_relaxed_simd_the_plain_module_makes_the_same_bits() {
    let lab = Lab::new();
    let script = "await trained(2); found.engine = byId('engine').textContent;";
    let Some(relaxed) = used(&lab, script, &[]) else { return };
    let lab = Lab::new();
    let plain = used(&lab, script, &["relaxed.wasm"]).unwrap();
    says(text(&plain, "engine"), &["plain SIMD"]);
    assert_eq!(text(&plain, "hash"), text(&relaxed, "hash"));
}

#[test]
fn a_line_that_was_begun_is_gone_on_with_and_a_pass_shows_every_node() {
    let lab = Lab::new();
    let script = "await trained(1); await onPad(); await viewed();";
    let Some(found) = used(&lab, script, &[]) else { return };
    for (key, least) in [("given", 10), ("nodes", 200)] {
        assert!(found[key].as_u64().is_some_and(|n| n >= least), "{key} in {found}");
    }
    says(text(&found, "pad"), &["240 that the model drew"]);
    says(text(&found, "viewer"), &["stcn-dense"]);
}

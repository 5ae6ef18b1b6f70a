//! The page of `inspect --html`, used in headless Chromium as a reader would.

use super::{tiny, trained};
use crate::common::{Lab, says};
use serde_json::Value;
use std::process::Command;

/// What Chromium says of a page after `page.js` has used it, asking for the node `asked`; `None`, with a message,
/// where there is no Chromium.
fn used(lab: &Lab, page: &str, asked: &str, width: usize) -> Option<Value> {
    let found = |name: &&&str| Command::new(**name).arg("--version").output().is_ok();
    let Some(chromium) = ["chromium", "chromium-browser", "google-chrome"].iter().find(found)
    else {
        println!("skipped: no chromium (apt-get install chromium)");
        return None;
    };
    let text = String::from_utf8(lab.read(page)).unwrap();
    let driver =
        format!("<script>const asked = {asked:?};\n{}</script></body>", include_str!("page.js"));
    lab.write("used.html", text.replacen("</body>", &driver, 1));
    let output = Command::new(chromium)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"])
        .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
        .args(["--enable-logging=stderr", "--dump-dom", &format!("--window-size={width},900")])
        .arg(format!("--user-data-dir={}", lab.path("profile").display()))
        .arg(format!("file://{}", lab.path("used.html").display()))
        .output()
        .unwrap();
    let dom = String::from_utf8(output.stdout).unwrap();
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    let console: Vec<&str> = log.lines().filter(|line| line.contains("CONSOLE")).collect();
    assert_eq!(console, [""; 0], "the console is silent");
    let (_, rest) =
        dom.split_once("<pre id=\"found\">").unwrap_or_else(|| panic!("no result:\n{log}"));
    let (json, _) = rest.split_once("</pre>").unwrap();
    let json = json.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
    Some(serde_json::from_str(&json).unwrap())
}

/// The rows of `inspect --table`, their cells by tabs.
fn rows_of(table: &str) -> Vec<Vec<&str>> {
    let columns = table.lines().nth(1).unwrap(); // behind the checkpoint's name
    let starts: Vec<usize> =
        ["node", "op", "label", "shape", "inputs", "rms value", "rms gradient"]
            .iter()
            .map(|name| columns.find(name).unwrap())
            .collect();
    table
        .lines()
        .skip(2)
        .map(|line| {
            let end = |i: usize| starts.get(i + 1).copied().unwrap_or(line.len()).min(line.len());
            (0..starts.len())
                .map(|i| line.get(starts[i].min(line.len())..end(i)).unwrap().trim())
                .collect()
        })
        .collect()
}

/// A run of this model, its page in `pass.html`.
fn page_of(model: &str) -> Lab {
    let lab = Lab::new();
    lab.ok(&format!("train --data ink.npz --out run --steps 3 {}", tiny(model)));
    assert_eq!(lab.ok("inspect run --steps 9 --html pass.html"), "pass.html\n");
    lab
}

#[test]
fn every_node_of_the_table_is_on_the_page_with_equal_numbers_and_can_be_reached() {
    for (model, asked) in [("stcn-dense", "z.2"), ("vrnn", "prior.1.weight"), ("wavenet", "log_px")]
    {
        let lab = page_of(model);
        let Some(found) = used(&lab, "pass.html", asked, 1280) else { return };
        assert_eq!(found["errors"], Value::Array(vec![]), "{model}");
        let table = lab.ok("inspect run --steps 9 --batch 1 --table");
        let on_page = found["table"].as_array().unwrap();
        let on_page: Vec<Vec<&str>> =
            on_page.iter().map(|row| row.as_str().unwrap().split('\t').collect()).collect();
        assert_eq!(on_page, rows_of(&table), "{model}");
        let count = |key: &str| found[key].as_u64().unwrap();
        assert!(count("most") <= 100 && count("closed") < 25, "{model}: {found}");
        assert_eq!(count("closed"), count("closed_again"), "{model}");
        let opened: Vec<&str> =
            found["opened"].as_array().unwrap().iter().map(|g| g.as_str().unwrap()).collect();
        assert!(opened.contains(&"head") && opened.len() > 4, "{model}: {opened:?}");
        assert_eq!(count("step"), 2, "{model}: → → ← from the first");
        assert!((found["cursor"].as_f64().unwrap() - 100. * 1.5 / 9.).abs() < 0.01, "{model}");
        says(found["title"].as_str().unwrap(), &[asked]);
        says(found["element"].as_str().unwrap(), &[asked]);
        assert_eq!(count("maps"), 2, "{model}: value and gradient");
        let sums: Vec<f64> =
            found["sums"].as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect();
        assert!(sums.len() > 5, "{model}: sums of products");
        // A sum of n products in f32 is off by less than n rounding errors of its terms' sizes.
        let most = sums.iter().fold(0f64, |most, &x| most.max(x));
        assert!(most < 64. * f64::from(f32::EPSILON), "{model}: {most:e}");
    }
}

#[test]
fn the_slider_shows_every_kept_checkpoint_and_the_way_back() {
    for model in ["stcn-dense", "vrnn"] {
        let lab = Lab::new();
        let words = format!("--set train.keep=4 --set train.eval_every=5 {}", tiny(model));
        lab.ok(&format!("train --data ink.npz --out run --steps 20 {words}"));
        lab.ok("inspect run --latest --steps 9 --html pass.html --history");
        let Some(found) = used(&lab, "pass.html", "z.1", 500) else { return };
        assert_eq!(found["errors"], Value::Array(vec![]), "{model}");
        assert_eq!(found["wide"], false, "{model}: on a phone");
        let of = |key: &str| -> Vec<String> {
            let all = found["passes"].as_array().unwrap();
            all.iter().map(|pass| pass[key].to_string()).collect()
        };
        for (said, step) in of("said").iter().zip([0, 8, 16, 20]) {
            says(said, &[&format!("after {step} updates: loss ")]);
        }
        assert_eq!(of("past"), ["true", "true", "true", "false"], "{model}");
        let strips = of("strips");
        assert!(strips.iter().all(|count| *count == strips[3]), "{model}: {strips:?}");
        let rows = of("reading");
        assert!(rows[0] != rows[1] && rows[1] != rows[2] && rows[2] != rows[3], "{model}");
        // What does not depend on the batch is as in the table of each checkpoint.
        for (i, name) in
            ["kept/step-000000", "kept/step-000008", "checkpoint/latest"].iter().enumerate()
        {
            let table = lab.ok(&format!("inspect run/{name}.stcn --steps 9 --batch 1 --table"));
            let found = found["passes"][[0, 1, 3][i]]["parameters"].as_object().unwrap();
            let rows = rows_of(&table);
            assert!(found.len() > 10, "{model}");
            for (path, rms) in found {
                let row = rows.iter().find(|row| row[2] == path).unwrap();
                assert_eq!(rms, row[5], "{model}: {path} in {name}");
            }
        }
        let charts: Vec<&str> =
            found["charts"].as_array().unwrap().iter().map(|x| x.as_str().unwrap()).collect();
        assert_eq!(charts.len(), 6, "{model}: five of the run, one of the node: {charts:?}");
        let csv = String::from_utf8(lab.read("run/metrics.csv")).unwrap();
        let groups = csv.lines().next().unwrap().matches(",grad_norm.").count();
        let by_group = charts.iter().find(|chart| chart.contains("by group")).unwrap();
        assert_eq!(by_group.matches(" from ").count(), groups, "{model}: {by_group}");
        assert_eq!(found["back"], true, "{model}");
    }
}

#[test]
fn the_page_fits_a_phone() {
    let lab = trained();
    lab.ok("inspect run --html pass.html");
    let Some(found) = used(&lab, "pass.html", "z.1", 500) else { return };
    assert_eq!(found["errors"], Value::Array(vec![]));
    assert_eq!(found["wide"], false);
}

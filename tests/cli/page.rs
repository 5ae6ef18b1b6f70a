//! The page of `inspect --html`, used in headless Chromium as a reader would.

use super::{tiny, trained};
use crate::common::{Lab, says};
use serde_json::Value;
use std::process::Command;

/// What Chromium says of a page after `page.js` has used it, asking for the node `asked` and for single `numbers`, nodes and
/// elements; `None`, with a message, where there is no Chromium.
fn used(
    lab: &Lab,
    page: &str,
    asked: &str,
    numbers: &[(usize, usize)],
    width: usize,
) -> Option<Value> {
    let found = |name: &&&str| Command::new(**name).arg("--version").output().is_ok();
    let Some(chromium) = ["chromium", "chromium-browser", "google-chrome"].iter().find(found)
    else {
        println!("skipped: no chromium (apt-get install chromium)");
        return None;
    };
    let text = String::from_utf8(lab.read(page)).unwrap();
    let driver = format!(
        "<script>const asked = {asked:?}, numbers_asked = {};\n{}</script></body>",
        serde_json::json!(numbers),
        include_str!("page.js")
    );
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
        let Some(found) = used(&lab, "pass.html", asked, &[], 1280) else { return };
        assert_eq!(found["errors"], Value::Array(vec![]), "{model}");
        let table = lab.ok("inspect run --steps 9 --batch 1 --table");
        let on_page = found["table"].as_array().unwrap();
        let on_page: Vec<Vec<&str>> =
            on_page.iter().map(|row| row.as_str().unwrap().split('\t').collect()).collect();
        assert_eq!(on_page, rows_of(&table), "{model}");
        let count = |key: &str| found[key].as_u64().unwrap();
        assert!(count("most") <= 100 && count("closed") < 25, "{model}: {found}");
        assert_eq!(count("closed"), count("closed_again"), "{model}");
        assert_eq!(found["unreached"], Value::Array(vec![]), "{model}: each has a box");
        let opened: Vec<&str> =
            found["opened"].as_array().unwrap().iter().map(|g| g.as_str().unwrap()).collect();
        assert!(opened.contains(&"head") && opened.len() > 4, "{model}: {opened:?}");
        assert_eq!(count("step"), 2, "{model}: → → ← from the first");
        assert!((found["cursor"].as_f64().unwrap() - 100. * 1.5 / 9.).abs() < 0.01, "{model}");
        says(found["title"].as_str().unwrap(), &[asked]);
        says(found["element"].as_str().unwrap(), &[asked]);
        assert_eq!(found["place"][0], found["place"][1], "{model}: an address by indices");
        let steps = found["steps"].as_array().unwrap();
        assert_eq!(
            (&steps[0], &steps[2]),
            (&steps[1], &steps[3]),
            "{model}: the step of the element"
        );
        assert_eq!(count("maps"), 2, "{model}: value and gradient");
        let path = found["path"].as_array().unwrap();
        assert!(path.len() > 1 && path[path.len() - 1] == "loss[1]", "{model}: {path:?}");
        says(found["end"].as_str().unwrap(), &["This is the loss", "∂L/∂L = 1"]);
        assert_eq!(count("trail"), (path.len() as u64 - 1).min(5), "{model}: links back");
    }
}

/// The rows of `inspect --table` of some nodes with a gradient: of each op the first, and of parameters and named nodes
/// some; and the middle element of each, on the axes and by its number.
fn some_elements(table: &str) -> Vec<(usize, String, usize)> {
    let mut ops: Vec<String> = vec![];
    let rows = rows_of(table);
    let chosen = rows.iter().enumerate().filter(|(i, row)| {
        let kind = format!("{} {}", row[1], row[2].split('.').next().unwrap());
        let new = !ops.contains(&kind);
        ops.extend(new.then_some(kind));
        row[6] != "-" && (new || i % 7 == 0)
    });
    let element = |(i, row): (usize, &Vec<&str>)| {
        let shape: Vec<usize> =
            row[3].trim_matches(['(', ')']).split(", ").map(|axis| axis.parse().unwrap()).collect();
        let index: Vec<String> = shape.iter().map(|axis| (axis / 2 + 1).to_string()).collect();
        let flat = shape.iter().fold(0, |flat, axis| flat * axis + axis / 2);
        (i, index.join(","), flat)
    };
    chosen.map(element).collect()
}

#[test]
fn one_number_is_told_by_the_page_in_the_multiplications_and_words_of_explain() {
    for model in ["stcn-dense", "vrnn", "wavenet"] {
        let lab = page_of(model);
        let table = lab.ok("inspect run --steps 9 --batch 1 --table");
        let elements = some_elements(&table);
        assert!(elements.len() > 12, "{model}: {elements:?}");
        let asked: Vec<(usize, usize)> = elements.iter().map(|(node, _, e)| (*node, *e)).collect();
        let Some(found) = used(&lab, "pass.html", "z.1", &asked, 1280) else { return };
        assert_eq!(found["errors"], Value::Array(vec![]), "{model}");
        for ((node, element, _), page) in elements.iter().zip(found["numbers"].as_array().unwrap())
        {
            let said = format!("explain run {node} --steps 9 --batch 1 --element {element}");
            let told = &lab.json(&said)[0]["levels"][0];
            let what = format!("{model}, node {node}[{element}]:\n{page}\n{told}");
            let number =
                |of: &Value, key: &str| of[key].as_f64().unwrap_or_else(|| panic!("{key}: {what}"));
            // The page has numbers in f32.
            let same = |a: f64, b: f64, size: f64| {
                assert!((a - b).abs() <= f64::from(f32::EPSILON) * size, "{a} {b}: {what}");
            };
            let gradient = number(told, "gradient");
            same(number(page, "gradient"), gradient, gradient.abs());
            assert_eq!(page["count"], told["count"], "{what}");
            assert_eq!(page["whole"], told["whole"].as_array().unwrap().len(), "{what}");
            let size = number(told, "size");
            let products = told["products"].as_array().unwrap();
            for (a, b) in page["products"].as_array().unwrap().iter().zip(products) {
                for key in ["node", "element"] {
                    assert_eq!(a[key], b[key], "{what}");
                }
                same(number(a, "product"), number(b, "product"), size);
                let factors = [a, b].map(|product| product["factors"].as_array().unwrap().clone());
                assert_eq!(factors[0].len(), factors[1].len(), "{what}");
                for (a, b) in factors[0].iter().zip(&factors[1]) {
                    assert_eq!(a["what"], b["what"], "{what}");
                    same(number(a, "value"), number(b, "value"), 64. * number(b, "value").abs());
                }
            }
            // n products and the tape's sum of them in f32 differ by n roundings of their size.
            let most = 4. * (number(told, "count") + 8.) * f64::from(f32::EPSILON) * size;
            assert!(number(page, "miss").abs() <= most, "{what}");
        }
    }
}

#[test]
fn the_slider_shows_every_kept_checkpoint_and_the_way_back() {
    for model in ["stcn-dense", "vrnn"] {
        let lab = Lab::new();
        let words = format!("--set train.keep=4 --set train.eval_every=5 {}", tiny(model));
        lab.ok(&format!("train --data ink.npz --out run --steps 20 {words}"));
        lab.ok("inspect run --latest --steps 9 --html pass.html --history");
        let Some(found) = used(&lab, "pass.html", "z.1", &[], 500) else { return };
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
    let Some(found) = used(&lab, "pass.html", "z.1", &[], 500) else { return };
    assert_eq!(found["errors"], Value::Array(vec![]));
    assert_eq!(found["wide"], false);
}

//! A line of IAM-OnDB as XML: read or refused, in memory that its bytes are worth.

#![no_main]

use libfuzzer_sys::fuzz_target;
use stcn::internals::prepare::iam::rows;

fuzz_target!(
    init: stcn_fuzz::seed("iam", seeds()),
    |bytes: &[u8]| {
        // A tree keeps an element of four bytes in some sixty, in a list that grows by doubling, and an
        // attribute in as many; the text itself is there twice.
        if let Ok(rows) = stcn_fuzz::within(bytes, 160, 1 << 16, rows) {
            assert!(rows.iter().all(|row| row[2] == 0 || row[2] == 1));
            assert_eq!(rows.last().map(|row| row[2]), Some(1), "the last point ends its stroke");
        }
    }
);

fn seeds() -> Vec<Vec<u8>> {
    let line = |strokes: &str| {
        let head = "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><WhiteboardCaptureSession>";
        format!("{head}<StrokeSet>{strokes}</StrokeSet></WhiteboardCaptureSession>").into_bytes()
    };
    let stroke = "<Stroke colour=\"black\"><Point x=\"1\" y=\"2\" time=\"1.00\"/><Point x=\"3\" y=\"4\"/></Stroke>";
    vec![
        line(stroke),
        line(&format!("{stroke}<Stroke/>{stroke}<!-- é -->")),
        // What takes the most memory for its length.
        line(&"<a/>".repeat(500)),
        [b"<a".to_vec(), (0..300).flat_map(|i| format!(" b{i}=''").into_bytes()).collect(), b"/>".to_vec()].concat(),
        b"<!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>".to_vec(),
    ]
}

//! The schema against every config that the program writes.

use serde_json::{Value, json};
use stcn::internals::schema::schema;
use stcn::models::{ALL, Preset, RNN, STCN_DENSE, VRNN};
use stcn::train::Config;

/// Where `value` is not what `schema` wants: the words of JSON Schema that ours uses, and no others.
fn complaints(schema: &Value, value: &Value, place: &str) -> Vec<String> {
    let mut found = vec![];
    let mut hold = |holds: bool, word: &str| {
        if !holds {
            found.push(format!("{place}: {word}"));
        }
    };
    let mut inside = vec![];
    for (word, wanted) in schema.as_object().unwrap() {
        match word.as_str() {
            "$schema" | "title" | "description" => assert!(!wanted.as_str().unwrap().is_empty()),
            "type" => hold(
                match wanted.as_str().unwrap() {
                    "object" => value.is_object(),
                    "array" => value.is_array(),
                    "string" => value.is_string(),
                    "boolean" => value.is_boolean(),
                    "integer" => value.is_u64() || value.is_i64(),
                    "number" => value.is_number(),
                    other => panic!("{other}"),
                },
                word,
            ),
            "minimum" => hold(value.as_f64().is_none_or(|x| x >= wanted.as_f64().unwrap()), word),
            "enum" => hold(wanted.as_array().unwrap().contains(value), word),
            "const" => hold(value == wanted, word),
            "required" => {
                let has = |name: &Value| value.get(name.as_str().unwrap()).is_some();
                hold(wanted.as_array().unwrap().iter().all(has), word);
            }
            "anyOf" => {
                let fits = |one: &Value| complaints(one, value, place).is_empty();
                hold(wanted.as_array().unwrap().iter().any(fits), word);
            }
            "items" => inside.extend(
                value.as_array().into_iter().flatten().map(|x| (wanted, x, place.to_string())),
            ),
            "properties" => {
                assert_eq!(schema["additionalProperties"], false);
                for (name, x) in value.as_object().into_iter().flatten() {
                    match wanted.get(name) {
                        Some(wanted) => inside.push((wanted, x, format!("{place}.{name}"))),
                        None => hold(false, &format!("no key {name}")),
                    }
                }
            }
            "additionalProperties" => assert!(schema.get("properties").is_some()),
            other => panic!("{other} is not checked here"),
        }
    }
    found.extend(
        inside.into_iter().flat_map(|(schema, value, place)| complaints(schema, value, &place)),
    );
    found
}

fn written(config: &Config) -> Value {
    serde_json::to_value(toml::from_str::<toml::Table>(&config.to_toml()).unwrap()).unwrap()
}

#[test]
fn every_config_that_is_written_is_accepted_and_has_every_key_of_the_schema() {
    let all = schema(&ALL);
    for kind in ALL {
        let own = schema(&[kind]);
        for &preset in Preset::ALL {
            for config in [
                Config::preset(preset, kind, None).unwrap(),
                Config::preset(preset, kind, None).unwrap().as_released(),
            ] {
                let value = written(&config);
                assert_eq!(complaints(&own, &value, ""), [""; 0], "{kind} {preset}");
                assert_eq!(complaints(&all, &value, ""), [""; 0], "{kind} {preset}");
                for (section, keys) in value.as_object().unwrap() {
                    let Some(keys) = keys.as_object() else { continue };
                    let known = own["properties"][section]["properties"].as_object().unwrap();
                    assert!(known.keys().eq(keys.keys()), "{kind} [{section}]");
                    assert!(known.values().all(|about| about["description"].is_string()));
                }
            }
        }
    }
}

#[test]
fn an_unknown_key_or_a_value_of_another_type_is_refused() {
    let good = written(&Config::preset(Preset::InkTiny, VRNN, None).unwrap());
    for (section, key, value) in [
        ("train", "lrr", json!(1)),
        ("data", "file", json!("a.npz")),
        ("model", "channels", json!(8)),
        ("train", "batch", json!("8")),
        ("train", "batch", json!(-1)),
        ("train", "objective", json!("elb")),
        ("train", "early_stop", json!(1)),
        ("model", "kind", json!("vrn")),
    ] {
        let mut bad = good.clone();
        bad[section][key] = value.clone();
        let one = complaints(&schema(&[VRNN]), &bad, "");
        assert_eq!(one.len(), 1, "{section}.{key} = {value}: {one:?}");
        assert_eq!(complaints(&schema(&ALL), &bad, "").len(), 1, "{section}.{key} = {value}");
    }
    let mut bad = good;
    bad["sed"] = json!(1);
    assert_eq!(complaints(&schema(&ALL), &bad, ""), [": no key sed"]);
}

#[test]
fn a_file_of_a_few_keys_is_accepted_and_without_a_kind_it_is_of_the_default_model() {
    let all = schema(&ALL);
    let holds = |value: Value| complaints(&all, &value, "").is_empty();
    assert!(holds(json!({})));
    assert!(holds(json!({ "seed": 3, "train": { "lr": 1 } })));
    assert!(holds(json!({ "model": { "channels": 8, "latents": [2, 1] } })));
    assert!(!holds(json!({ "model": { "hidden_size": 8 } })));
    assert!(holds(json!({ "model": { "kind": "rnn", "hidden_size": 8 } })));
    assert_eq!(Config::default().model.kind, STCN_DENSE);
    // Of one model alone, the kind need not be said.
    assert_eq!(complaints(&schema(&[RNN]), &json!({ "model": { "hidden_size": 8 } }), ""), [""; 0]);
}

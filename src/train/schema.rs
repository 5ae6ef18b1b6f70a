//! The JSON Schema of a config, by which editors complete and check `config.toml`.
//!
//! Made of what a config has anyway: keys with their documentation, and the types of their values. Not here: whether values
//! are in range and fit together ([`Config::validate`]).

use super::config::Config;
use super::presets;
use crate::models::config::Preset;
use crate::models::{Key, ModelKind};
use serde_json::{Map, Value, json};

/// The schema of configs of these models, in draft 7, which editors know. No key is required, since a file for `--config`
/// may hold a few only; any other key is an error. Panics without a model.
pub fn schema(kinds: &[ModelKind]) -> Value {
    let keys = |kind| Config::of_preset(presets::DEFAULT, kind, None).sections();
    let [(_, data), _, (_, train)] = keys(kinds[0]);
    let mut models = kinds.iter().map(|&kind| {
        let [_, (_, own), _] = keys(kind);
        let mut model = properties(&own);
        model.insert("kind".into(), json!({ "const": kind.name(), "description": kind.about() }));
        let mut model = section(model);
        // A file that names no model is of the default one.
        if kinds.len() > 1 && kind != presets::DEFAULT_MODEL {
            model["required"] = json!(["kind"]);
        }
        model
    });
    let model = match kinds {
        [_] => models.next().expect("one model"),
        _ => json!({ "anyOf": models.collect::<Vec<_>>() }),
    };
    let presets: Vec<&str> = Preset::ALL.iter().map(|preset| preset.name()).collect();
    let mut root = section(Map::from_iter([
        (
            "seed".into(),
            json!({ "type": "integer", "minimum": 0, "description": "Seed of all noise." }),
        ),
        (
            "preset".into(),
            json!({ "enum": presets, "description": "Where keys that are left out have their values from." }),
        ),
        ("data".into(), section(properties(&data))),
        ("model".into(), model),
        ("train".into(), section(properties(&train))),
    ]));
    root["$schema"] = "http://json-schema.org/draft-07/schema#".into();
    root["title"] = "The config of a run of stcn".into();
    root
}

/// A table that holds these keys alone.
fn section(properties: Map<String, Value>) -> Value {
    json!({ "type": "object", "properties": properties, "additionalProperties": false })
}

/// Every key with its type and its documentation.
fn properties(keys: &[(Key, toml::Value)]) -> Map<String, Value> {
    let property = |(key, value): &(Key, toml::Value)| {
        let whole = json!({ "type": "integer", "minimum": 0 });
        let mut about = match value {
            toml::Value::Integer(_) => whole,
            toml::Value::Float(_) => json!({ "type": "number" }),
            toml::Value::Boolean(_) => json!({ "type": "boolean" }),
            toml::Value::Array(_) => json!({ "type": "array", "items": whole }),
            _ if !key.values.is_empty() => json!({ "enum": key.values }),
            _ => json!({ "type": "string" }),
        };
        about["description"] = key.about.into();
        (key.name.to_string(), about)
    };
    keys.iter().map(property).collect()
}

//! `stcn schema`: the same schema as beside the config of a run.

use super::trained;
use crate::common::says;
use serde_json::Value;

#[test]
fn the_schema_of_one_model_is_the_one_beside_its_config() {
    let lab = trained();
    let said = lab.ok("schema --model stcn-dense");
    let schema: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(
        schema,
        serde_json::from_slice::<Value>(&lab.read("run/config.schema.json")).unwrap()
    );
    let about = &schema["properties"]["train"]["properties"]["batch"]["description"];
    assert_eq!(about, "Sequences per update.");
}

#[test]
fn without_a_model_it_is_of_all_and_an_unknown_one_is_refused() {
    let lab = trained();
    let schema: Value = serde_json::from_str(&lab.ok("schema")).unwrap();
    let models = schema["properties"]["model"]["anyOf"].as_array().unwrap();
    assert_eq!(models.len(), stcn::models::ALL.len());
    says(&lab.refused("schema --model vrn"), &["unknown model `vrn`: did you mean `vrnn`"]);
}

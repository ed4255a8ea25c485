use airlock_registry::{OutputOverlay, PropertyOverlay, ToolOverlay};

use super::*;

fn manifest() -> Manifest {
    serde_json::from_value(json!({
        "tools": [{
            "name": "ask",
            "description": "Asks.",
            "input_schema": {
                "type": "object",
                "properties": {"q": {"type": "string"}, "lang": {"type": "string", "enum": ["en", "zh"]}},
                "required": ["q", "lang"],
                "additionalProperties": false
            }
        }]
    }))
    .expect("a manifest")
}

fn overlay(properties: &[(&str, PropertyOverlay)]) -> Overlay {
    let properties = properties
        .iter()
        .map(|(name, words)| ((*name).to_owned(), words.clone()))
        .collect();
    let tool = ToolOverlay {
        name: Some("ask_travel".into()),
        title: Some("Ask".into()),
        properties,
        ..ToolOverlay::default()
    };
    Overlay {
        tools: [("ask".to_owned(), tool)].into(),
        limits: Default::default(),
    }
}

fn pin(value: Value) -> PropertyOverlay {
    PropertyOverlay {
        description: None,
        pinned: Some(value),
    }
}

#[test]
fn a_pinned_input_leaves_the_schema_and_reaches_the_guest() {
    let published = Published::new(&manifest(), &overlay(&[("lang", pin(json!("zh")))]))
        .expect("a good overlay");
    let tool = published.tool("ask_travel").expect("the operator's name");
    assert_eq!(tool.guest_name, "ask");
    let schema = &tool.json["inputSchema"];
    assert_eq!(schema["required"], json!(["q"]));
    assert!(schema["properties"].get("lang").is_none());
    let arguments = |text: &str| tool.arguments(text, |_, _| panic!("it takes no files"));
    assert_eq!(arguments(r#"{"q": "hi"}"#).expect("they fit")["lang"], "zh");
    assert!(
        arguments(r#"{"q": "hi", "lang": "en"}"#).is_err(),
        "a caller cannot set what is pinned"
    );
}

#[test]
fn a_file_is_taken_before_the_rest_is_checked_and_may_be_pinned() {
    let mut manifest = manifest();
    let schema = &mut manifest.tools[0].input_schema;
    schema["properties"]["lang"] = json!({"type": "string", "x-airlock-file": {}});
    let take = |input: &FileInput, raw: &RawValue| {
        assert_eq!(input.name, "lang");
        Ok(Some(json!(format!("ref of {}", raw.get().len()))))
    };
    let open = Published::new(&manifest, &Overlay::default()).expect("published");
    let tool = &open.tools[0];
    assert_eq!(
        tool.json["inputSchema"]["properties"]["lang"]["type"],
        "object"
    );
    let taken = tool.arguments(r#"{"lang": {"url": "u"}, "q": "hi"}"#, take);
    assert_eq!(
        Value::Object(taken.expect("they fit")),
        json!({"lang": "ref of 12", "q": "hi"})
    );
    let absent = tool.arguments(r#"{"lang": null, "q": "hi"}"#, |_, _| Ok(None));
    assert!(absent.expect_err("it is required").contains("lang"));
    let url = json!({"url": "https://example.com/a.pdf"});
    let pinned = Published::new(&manifest, &overlay(&[("lang", pin(url))])).expect("published");
    let taken = pinned.tools[0]
        .arguments(r#"{"q": "hi"}"#, take)
        .expect("they fit");
    assert_eq!(taken["lang"], "ref of 35");
    let fault = Published::new(&manifest, &overlay(&[("lang", pin(json!("/etc/passwd")))]));
    assert!(matches!(fault, Err(OverlayFault::Pin { .. })));
}

#[test]
fn a_tool_that_may_become_a_task_says_so_and_no_other_does() {
    let mut manifest = manifest();
    let execution = |manifest: &Manifest| {
        let published = Published::new(manifest, &Overlay::default()).expect("published");
        published.tools[0].json.get("execution").cloned()
    };
    let required = json!({"taskSupport": "required"});
    manifest.tools[0]
        .extra
        .insert("execution".into(), required.clone());
    assert_eq!(execution(&manifest), None);
    manifest.tools[0].task = true;
    assert_eq!(execution(&manifest), Some(required));
    manifest.tools[0].extra.clear();
    assert_eq!(
        execution(&manifest),
        Some(json!({"taskSupport": "optional"}))
    );
}

fn promised(schema: Value, withdrawn: bool) -> Result<Published, OverlayFault> {
    let output = OutputOverlay {
        schema: schema.as_object().expect("an object").clone(),
        learnt: withdrawn,
        withdrawn,
    };
    let mut overlay = overlay(&[]);
    overlay.tools.get_mut("ask").expect("it is there").output = Some(output);
    Published::new(&manifest(), &overlay)
}

#[test]
fn the_operators_output_schema_stands_in_the_place_of_the_guests() {
    let schema =
        json!({"type": "object", "properties": {"n": {"type": "number"}}, "required": ["n"]});
    let published = promised(schema.clone(), false).expect("a good schema");
    let tool = &published.tools[0];
    assert_eq!(tool.json["outputSchema"], schema);
    let promise = tool.promise.as_ref().expect("a promise");
    assert_eq!(promise.broken(Some(r#"{"n": 1, "more": true}"#)), None);
    let broken = |structured| promise.broken(structured).expect("it does not fit");
    assert!(broken(Some(r#"{"n": "hidden"}"#)).contains("n: "));
    assert!(!broken(Some(r#"{"n": "hidden"}"#)).contains("hidden"));
    broken(None);
}

#[test]
fn an_output_schema_is_held_to_the_rules_for_a_guests() {
    for wrong in [
        json!({}),
        json!({"type": "array"}),
        json!({"type": "object", "properties": {"n": {"type": "nonsense"}}}),
        json!({"type": "object", "$ref": "https://example.com/schema"}),
    ] {
        let fault = promised(wrong, false).expect_err("no usable schema");
        assert!(matches!(fault, OverlayFault::Output { .. }), "{fault}");
    }
}

#[test]
fn a_schema_that_was_withdrawn_is_published_no_more_and_noted() {
    let published = promised(json!({"type": "object"}), true).expect("published");
    let tool = &published.tools[0];
    assert!(tool.promise.is_none() && !tool.json.contains_key("outputSchema"));
    assert!(published.unmatched[0].contains("withdrawn"));
}

#[test]
fn a_pin_must_fit_the_input() {
    let fault = Published::new(&manifest(), &overlay(&[("lang", pin(json!("fr")))]));
    assert!(matches!(fault, Err(OverlayFault::Pin { .. })));
}

#[test]
fn an_overlay_that_fits_nothing_is_reported_and_not_dropped() {
    let published =
        Published::new(&manifest(), &overlay(&[("gone", pin(json!(1)))])).expect("still published");
    assert_eq!(published.unmatched.len(), 1);
    assert!(published.unmatched[0].contains("gone"));
}

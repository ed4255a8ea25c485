use serde_json::{Map, Value, json};

use crate::{Fault, FileKind, Files, Form, Kind, Rule, Uploads};

/// The form of a recorded workflow with one input of every type, as Dify 1.14.2 sends it.
fn every_type() -> Form {
    let files = json!({ "allowed_file_extensions": [], "allowed_file_types": ["image", "document"],
        "allowed_file_upload_methods": ["local_file", "remote_url"], "options": [], "required": false });
    let file = |kind: &str, label: &str, variable: &str, most: Value| {
        let mut body = files.clone();
        body["type"] = json!(kind);
        body["label"] = json!(label);
        body["variable"] = json!(variable);
        body["max_length"] = most;
        json!({ kind: body })
    };
    Form::parse(&json!({ "opening_statement": "", "user_input_form": [
        {"text-input": {"label": "Title", "max_length": 48, "options": [], "required": true, "type": "text-input", "variable": "title_text"}},
        {"paragraph": {"label": "Body text", "max_length": 200, "options": [], "required": false, "type": "paragraph", "variable": "body_text"}},
        {"select": {"label": "Language", "max_length": null, "options": ["en", "zh", "ja"], "required": true, "type": "select", "variable": "lang"}},
        {"number": {"default": 3, "label": "Count", "max_length": null, "options": [], "required": false, "type": "number", "variable": "count"}},
        {"checkbox": {"default": false, "label": "Verbose", "max_length": null, "options": [], "required": false, "type": "checkbox", "variable": "verbose"}},
        {"json_object": {"json_schema": CITY, "label": "Config", "max_length": null, "options": [], "required": false, "type": "json_object", "variable": "cfg"}},
        file("file", "Document", "doc", Value::Null),
        file("file-list", "Documents", "docs", json!(3)),
    ] }))
}

/// A workflow stores the schema of an object as text.
const CITY: &str = r#"{"type": "object", "properties": {"city": {"type": "string", "description": "City name"}, "limit": {"type": "integer", "minimum": 1, "maximum": 50}}, "required": ["city"], "additionalProperties": false}"#;

/// The recorded workflow with a default of every type and two hidden variables.
fn with_defaults() -> Form {
    Form::parse(&json!({ "user_input_form": [
        {"text-input": {"default": "abc", "hint": "type here", "label": "Text", "max_length": 5, "options": [], "placeholder": "ph", "required": false, "type": "text-input", "variable": "t"}},
        {"select": {"default": "b", "label": "Sel", "options": ["a", "b"], "required": false, "variable": "s"}},
        {"number": {"default": "12", "label": "NumStr", "max_length": null, "required": false, "variable": "nstr"}},
        {"checkbox": {"default": true, "label": "True", "required": false, "variable": "ctrue"}},
        {"text-input": {"default": "hidden value", "hide": true, "label": "Hidden", "max_length": 48, "required": false, "variable": "hid"}},
        {"text-input": {"default": "must", "hide": true, "label": "Hidden required", "max_length": 48, "required": true, "variable": "hidreq"}},
        {"json_object": {"default": "{\"city\":\"Paris\"}", "json_schema": CITY, "label": "Json", "required": false, "variable": "j"}},
        {"file": {"allowed_file_types": ["image"], "allowed_file_upload_methods": ["remote_url"], "default": null, "label": "File", "required": false, "variable": "f"}},
    ] }))
}

fn one(kind: &str, more: &Value) -> Form {
    let mut body = json!({ "variable": "x", "label": "X", "required": false });
    for (key, value) in more.as_object().into_iter().flatten() {
        body[key] = value.clone();
    }
    Form::parse(&json!({ "user_input_form": [{ kind: body }] }))
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(object) => object,
        other => panic!("a test's inputs are an object, not {other}"),
    }
}

/// The first fault of `x` being `value`, as its caller reads it.
fn refusal(form: &Form, value: Value) -> Option<String> {
    let inputs = Map::from_iter([("x".to_owned(), value)]);
    form.check(&inputs)
        .err()
        .map(|faults| faults[0].to_string())
}

#[test]
fn every_type_of_a_recorded_form_has_its_schema() {
    let schema = Value::Object(every_type().schema());
    assert_eq!(schema["required"], json!(["title_text", "lang"]));
    assert_eq!(schema["additionalProperties"], json!(false));
    let properties = &schema["properties"];
    assert_eq!(
        properties["title_text"],
        json!({ "type": "string", "minLength": 1, "maxLength": 48, "title": "Title", "description": "Title" })
    );
    assert_eq!(properties["body_text"].get("minLength"), None);
    assert_eq!(properties["lang"]["enum"], json!(["en", "zh", "ja"]));
    assert_eq!(
        properties["count"],
        json!({ "type": "number", "title": "Count", "description": "Count", "default": 3 })
    );
    assert_eq!(properties["verbose"]["default"], json!(false));
    assert_eq!(
        properties["cfg"]["properties"]["limit"]["maximum"],
        json!(50)
    );
    assert_eq!(
        properties["doc"],
        json!({ "type": "string", "x-airlock-file": { "types": ["image", "document"], "extensions": [],
            "methods": ["local_file", "remote_url"] }, "title": "Document",
            "description": "Document. A file (image, document)." })
    );
    assert_eq!(properties["docs"]["maxItems"], json!(3));
}

#[test]
fn the_schema_keeps_the_order_of_the_form() {
    let properties = every_type().properties();
    let names: Vec<&str> = properties.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "title_text",
            "body_text",
            "lang",
            "count",
            "verbose",
            "cfg",
            "doc",
            "docs"
        ]
    );
}

#[test]
fn hidden_variables_are_not_shown_and_a_hint_describes() {
    let properties = with_defaults().properties();
    assert!(!properties.contains_key("hid") && !properties.contains_key("hidreq"));
    assert_eq!(properties["t"]["description"], json!("type here"));
}

#[test]
fn a_default_stored_as_text_becomes_what_it_means() {
    let form = with_defaults();
    let default = |variable| {
        form.field(variable)
            .expect("the field is in the form")
            .default
            .clone()
    };
    assert_eq!(default("nstr"), Some(json!(12)));
    assert_eq!(default("j"), Some(json!({ "city": "Paris" })));
    assert_eq!(default("f"), None);
}

#[test]
fn a_default_that_the_form_itself_would_refuse_is_none() {
    assert_eq!(
        one("select", &json!({ "default": "", "options": ["a"] })).fields[0].default,
        None
    );
    assert_eq!(
        one("select", &json!({ "default": "gone", "options": ["a"] })).fields[0].default,
        None
    );
    assert_eq!(
        one("text-input", &json!({ "default": "" })).fields[0].default,
        None
    );
    assert_eq!(
        one("number", &json!({ "default": "many" })).fields[0].default,
        None
    );
}

#[test]
fn complete_adds_every_default_that_is_absent_or_null_and_touches_no_value() {
    let inputs = with_defaults().complete(object(json!({ "t": "mine", "s": null })));
    assert_eq!(
        Value::Object(inputs),
        json!({ "t": "mine", "s": "b", "nstr": 12, "ctrue": true, "hid": "hidden value", "hidreq": "must",
            "j": { "city": "Paris" } })
    );
}

#[test]
fn a_required_variable_with_a_default_need_not_be_given() {
    let form = one("text-input", &json!({ "required": true, "default": "d" }));
    assert_eq!(form.required().count(), 0);
    assert_eq!(
        refusal(&form, json!("")),
        Some("`x` is required and must not be empty".to_owned())
    );
    assert!(form.check(&form.complete(Map::new())).is_ok());
}

#[test]
fn inputs_that_fit_every_type_pass() {
    let mapping = json!({ "type": "image", "transfer_method": "remote_url", "url": "https://example.com/a.png" });
    let inputs = json!({ "title_text": "T", "lang": "zh", "count": 2.5, "verbose": true, "cfg": { "city": "Oslo" },
        "doc": mapping, "docs": [mapping, mapping] });
    assert_eq!(every_type().check(&object(inputs)), Ok(()));
}

#[test]
fn what_is_missing_or_unknown_is_named_with_the_form_s_own_inputs() {
    let faults = every_type()
        .check(&object(json!({ "lang": null, "titel": "T" })))
        .expect_err("three faults");
    let sentences: Vec<String> = faults.iter().map(Fault::to_string).collect();
    assert_eq!(sentences[0], "`title_text` is required and missing");
    assert_eq!(sentences[1], "`lang` is required and missing");
    assert!(
        sentences[2].starts_with("`titel` is unknown; the inputs are `title_text`, `body_text`"),
        "{}",
        sentences[2]
    );
}

#[test]
fn a_text_is_measured_in_characters() {
    let form = one("text-input", &json!({ "max_length": 5 }));
    assert_eq!(refusal(&form, json!("日本語です")), None);
    assert_eq!(
        refusal(&form, json!("日本語ですね")),
        Some("`x` must have 5 characters at most, not 6".to_owned())
    );
    assert_eq!(
        refusal(&form, json!(5)),
        Some("`x` must be a text, not a number".to_owned())
    );
    assert_eq!(refusal(&form, json!("")), None);
}

#[test]
fn numbers_are_those_that_dify_reads() {
    let form = one("number", &json!({}));
    for good in [
        json!(4),
        json!(0.5),
        json!("4"),
        json!("+4"),
        json!("1.5e3"),
        json!(""),
        json!("-99999999999999999999"),
    ] {
        assert_eq!(refusal(&form, good.clone()), None, "{good}");
    }
    for bad in [
        json!("1e3"),
        json!("Infinity"),
        json!("NaN"),
        json!("four"),
        json!(true),
        json!({}),
        json!([]),
    ] {
        assert!(refusal(&form, bad.clone()).is_some(), "{bad}");
    }
}

#[test]
fn a_checkbox_is_true_or_false_in_dify_s_words() {
    let form = one("checkbox", &json!({}));
    for good in [json!(true), json!(0), json!("yes"), json!("Off")] {
        assert_eq!(refusal(&form, good.clone()), None, "{good}");
    }
    assert_eq!(
        refusal(&form, json!("perhaps")),
        Some("`x` must be true or false, not a text".to_owned())
    );
    assert!(refusal(&form, json!(2)).is_some());
}

#[test]
fn a_select_takes_its_options_and_not_even_an_empty_text_besides() {
    let form = one("select", &json!({ "options": ["a", "b"] }));
    assert_eq!(refusal(&form, json!("a")), None);
    assert_eq!(
        refusal(&form, json!("")),
        Some("`x` must be one of `a`, `b`".to_owned())
    );
}

#[test]
fn objects_and_files_must_be_what_they_are() {
    assert_eq!(
        refusal(&one("json_object", &json!({})), json!("{}")),
        Some("`x` must be an object, not a text".to_owned())
    );
    assert!(refusal(&one("file", &json!({})), json!("https://example.com/a.png")).is_some());
    let list = one("file-list", &json!({ "max_length": 1 }));
    assert_eq!(
        refusal(&list, json!([{}, {}])),
        Some("`x` takes 1 files at most, not 2".to_owned())
    );
    assert_eq!(
        refusal(&list, json!(["a"])),
        Some("`x` must be a list of file mappings, not a list with a text".to_owned())
    );
}

#[test]
fn what_dify_fills_itself_is_neither_shown_nor_taken_nor_missed() {
    let form = one(
        "external_data_tool",
        &json!({ "required": true, "type": "api" }),
    );
    assert!(form.properties().is_empty());
    assert_eq!(form.check(&Map::new()), Ok(()));
    assert_eq!(
        refusal(&form, json!("v")),
        Some("`x` is filled by Dify itself: leave it out".to_owned())
    );
}

#[test]
fn a_type_of_a_later_dify_is_a_text_in_the_schema_and_free_in_the_check() {
    let form = one("colour-picker", &json!({ "required": true }));
    assert_eq!(form.fields[0].kind, Kind::Other("colour-picker".to_owned()));
    assert_eq!(form.properties()["x"]["type"], json!("string"));
    assert_eq!(refusal(&form, json!({ "r": 1 })), None);
    assert!(form.check(&Map::new()).is_err());
}

#[test]
fn odd_forms_parse_to_what_can_be_used_of_them() {
    assert_eq!(Form::parse(&json!({})), Form::default());
    assert_eq!(Form::parse(&json!([])), Form::default());
    let form = Form::parse(&json!({ "user_input_form": [
        null, "text", {}, { "text-input": null }, { "text-input": { "label": "No variable" } },
        { "text-input": { "variable": "a", "max_length": 0, "required": "true" } },
        { "paragraph": { "variable": "a" } },
    ] }));
    assert_eq!(form.fields.len(), 1);
    assert_eq!(form.fields[0].label, "a");
    assert_eq!(form.fields[0].kind, Kind::Text { max_length: None });
    assert!(form.fields[0].required);
}

#[test]
fn an_object_s_own_schema_is_carried_unless_it_refers_to_its_root() {
    let own = json!({ "json_schema": { "$schema": "http://json-schema.org/draft-07/schema#", "description": "Where to",
        "properties": { "city": { "type": "string" } } } });
    let property = one("json_object", &own).properties()["x"].clone();
    assert_eq!(
        property,
        json!({ "type": "object", "description": "Where to", "properties": { "city": { "type": "string" } }, "title": "X" })
    );
    let referring =
        json!({ "json_schema": "{\"properties\": {\"a\": {\"$ref\": \"#/definitions/a\"}}}" });
    let property = one("json_object", &referring).properties()["x"].clone();
    assert_eq!(
        property,
        json!({ "type": "object", "title": "X", "description": "X" })
    );
    let broken = one("json_object", &json!({ "json_schema": "{not json" }));
    assert_eq!(broken.fields[0].kind, Kind::JsonObject { schema: None });
}

#[test]
fn a_file_is_what_dify_would_find_it_to_be() {
    for (name, mime_type, kind) in [
        ("paper.PDF", "", FileKind::Document),
        ("a.b/clip.mp4", "text/plain", FileKind::Video),
        ("paper", "application/pdf", FileKind::Document),
        ("voice", "audio/ogg", FileKind::Audio),
        ("data.bin", "application/octet-stream", FileKind::Custom),
        ("paper.", "", FileKind::Custom),
    ] {
        assert_eq!(FileKind::of(name, mime_type), kind, "{name} {mime_type}");
    }
}

#[test]
fn a_file_is_taken_by_its_kind_or_by_its_ending_and_mapped_as_what_was_taken() {
    let takes = |types: &[&str], extensions: &[&str], name: &str| {
        let form = one(
            "file",
            &json!({ "allowed_file_types": types, "allowed_file_extensions": extensions }),
        );
        let Kind::File(files) = &form.fields[0].kind else {
            panic!("a file")
        };
        assert_eq!(
            Some(files),
            files.marker().as_object().map(Files::of_marker).as_ref()
        );
        let kind = FileKind::of_name(name);
        files
            .takes(name, kind)
            .then(|| files.mapping_type(kind).to_owned())
    };
    let document = Some("document".to_owned());
    assert_eq!(takes(&["image", "document"], &[], "a.pdf"), document);
    assert_eq!(takes(&[], &[], "a.pdf"), document);
    assert_eq!(takes(&[], &[], "a.bin"), document);
    assert_eq!(takes(&["image"], &[".pdf"], "a.pdf"), None);
    // What nobody can tell from outside is Dify's to judge.
    assert_eq!(takes(&["image"], &[], "a"), Some("image".to_owned()));
    let custom = Some("custom".to_owned());
    assert_eq!(takes(&["image", "custom"], &[".BIN"], "a.bin"), custom);
    assert_eq!(takes(&["custom"], &[".pdf"], "a.pdf"), custom);
    assert_eq!(takes(&["custom"], &[".pdf"], "a.bin"), None);
    let images = Files {
        types: vec!["image".to_owned()],
        ..Files::default()
    };
    assert!(
        !images.takes("a.bin", Some(FileKind::Custom)),
        "it is known to be none"
    );
}

#[test]
fn files_beside_the_form_are_taken_where_their_switch_is_on() {
    let parse = |upload: Value| Uploads::parse(&json!({ "file_upload": upload }));
    assert_eq!(parse(json!({ "enabled": false })), None);
    assert_eq!(
        parse(json!({ "image": { "enabled": false, "number_limits": 3 } })),
        None
    );
    let flow = parse(
        json!({ "enabled": true, "allowed_file_types": ["document"], "number_limits": 2,
        "allowed_file_upload_methods": ["local_file"] }),
    )
    .expect("it is on");
    assert_eq!((flow.max_items, flow.files.takes_urls()), (Some(2), false));
    let chat = parse(
        json!({ "image": { "enabled": true, "number_limits": 3, "transfer_methods": ["remote_url"] } }),
    )
    .expect("it is on");
    assert_eq!(chat.files.types, ["image"]);
    assert!(!chat.files.takes_uploads());
}

#[test]
fn a_long_list_of_names_is_cut_in_a_sentence() {
    let options: Vec<String> = (0..30).map(|number| number.to_string()).collect();
    let sentence =
        refusal(&one("select", &json!({ "options": options })), json!("x")).expect("no option");
    assert!(sentence.ends_with("`19` and 10 more"), "{sentence}");
}

/// The inputs of a recorded pause (`human4-streaming`).
fn of_pause() -> Form {
    let image = json!({ "allowed_file_types": ["image"], "allowed_file_upload_methods": ["local_file", "remote_url"] });
    let file = |kind: &str, name: &str| {
        let mut body = image.clone();
        body["type"] = json!(kind);
        body["output_variable_name"] = json!(name);
        body
    };
    let mut more = file("file-list", "more");
    more["number_limits"] = json!(2);
    Form::of_pause(&json!([
        { "output_variable_name": "note", "type": "paragraph", "default": { "type": "constant", "value": "the plan" } },
        { "output_variable_name": "level", "type": "select", "option_source": { "type": "constant", "value": ["low", "high"] } },
        file("file", "proof"),
        more,
        { "output_variable_name": "free", "type": "select", "option_source": { "type": "variable", "value": [] } },
        { "type": "paragraph" },
    ]))
}

#[test]
fn the_form_of_a_pause_has_its_own_words_for_the_same_kinds() {
    let form = of_pause();
    let names: Vec<&str> = form
        .fields
        .iter()
        .map(|field| field.variable.as_str())
        .collect();
    assert_eq!(names, ["note", "level", "proof", "more", "free"]);
    assert_eq!(form.fields[0].default, Some(json!("the plan")));
    assert_eq!(
        form.fields[1].kind,
        Kind::Select {
            options: vec!["low".to_owned(), "high".to_owned()]
        }
    );
    assert!(matches!(
        form.fields[3].kind,
        Kind::FileList {
            max_items: Some(2),
            ..
        }
    ));
    assert_eq!(form.fields[4].kind, Kind::Text { max_length: None });
    assert!(Form::of_pause(&json!(null)).fields.is_empty());
}

#[test]
fn a_person_s_answer_has_every_field_and_may_have_an_empty_text() {
    let form = of_pause();
    let file = json!({ "type": "image", "transfer_method": "remote_url", "url": "https://example.com/a.png" });
    let good = json!({ "note": "", "level": "low", "proof": file, "more": [], "free": "x" });
    assert_eq!(form.check_answer(&object(good)), Ok(()));
    let given = json!({ "note": null, "level": "middle", "proof": "", "more": [file, file, file], "odd": 1 });
    let faults = form.check_answer(&object(given)).expect_err("nothing fits");
    let faults: Vec<(&str, &Rule)> = faults
        .iter()
        .map(|fault| (fault.variable.as_str(), &fault.rule))
        .collect();
    let missing = [
        ("note", &Rule::Missing),
        ("proof", &Rule::Missing),
        ("free", &Rule::Missing),
    ];
    assert_eq!(faults[..3], missing);
    let levels = Rule::NotAnOption(vec!["low".to_owned(), "high".to_owned()]);
    assert_eq!(faults[3], ("level", &levels));
    assert_eq!(faults[4], ("more", &Rule::TooMany { most: 2, got: 3 }));
    assert!(matches!(faults[5], ("odd", Rule::Unknown(_))));
}

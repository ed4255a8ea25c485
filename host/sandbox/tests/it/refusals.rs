//! Components that are refused, and the words that tell their author why.

use airlock_sandbox::{Component, Engine, EngineConfig, Refusal};

/// The text of a component, made one and taken in.
fn load(text: &str) -> Result<Component, Refusal> {
    let engine = Engine::start(&EngineConfig {
        instances: 1,
        threads: 1,
        pooling: false,
        ..EngineConfig::default()
    })
    .expect("an engine for one instance");
    Component::load(&engine, &wat::parse_str(text).expect("a component's text"))
}

fn refused(text: &str) -> Refusal {
    match load(text) {
        Ok(_) => panic!("taken in: {text}"),
        Err(refusal) => refusal,
    }
}

/// An instance without members under the name that a guest exports.
const HOLLOW: &str = r#"
    (component $hollow)
    (instance $tools (instantiate $hollow))
    (export "airlock:guest/tools@0.1.0" (instance $tools))
"#;

#[test]
fn every_import_that_no_guest_is_given_is_named() {
    let refusal = refused(
        r#"(component
            (import "wasi:sockets/tcp@0.2.0" (instance))
            (import "airlock:guest/types@0.1.0" (instance))
            (import "wasi:http/outgoing-handler@0.2.0" (instance))
            (import "airlock:guest/dify@0.2.0" (instance)))"#,
    );
    let Refusal::UnknownImports(names) = &refusal else {
        panic!("{refusal}")
    };
    assert_eq!(
        names,
        &[
            "wasi:sockets/tcp@0.2.0",
            "wasi:http/outgoing-handler@0.2.0",
            "airlock:guest/dify@0.2.0"
        ]
    );
    let words = refusal.to_string();
    assert!(
        words.contains("wasi:sockets/tcp@0.2.0, wasi:http"),
        "{words}"
    );
    assert!(
        words.contains("may import airlock:guest/types@0.1.0"),
        "{words}"
    );
}

#[test]
fn a_bare_function_is_an_import_too() {
    let refusal = refused(r#"(component (import "launch" (func)))"#);
    assert!(
        refusal.to_string().contains("no guest is given: launch."),
        "{refusal}"
    );
}

#[test]
fn a_missing_export_is_named() {
    for text in [
        "(component)",
        r#"(component (component $c) (instance $i (instantiate $c))
            (export "airlock:guest/tools@0.2.0" (instance $i)))"#,
        // What a component inside of it imports or exports is its own affair.
        r#"(component (component
            (import "wasi:sockets/tcp@0.2.0" (instance $i))
            (export "airlock:guest/tools@0.1.0" (instance $i))))"#,
    ] {
        let refusal = refused(text);
        assert!(
            matches!(&refusal, Refusal::MissingExports(names) if names == &["airlock:guest/tools@0.1.0"]),
            "{refusal}"
        );
    }
}

#[test]
fn the_right_names_with_other_types_behind_them_are_another_contract() {
    let refusal = refused(&format!("(component {HOLLOW})"));
    assert!(matches!(refusal, Refusal::WrongTypes(_)), "{refusal}");
    let refusal = refused(&format!(
        r#"(component
            (import "airlock:guest/dify@0.1.0" (instance (export "teleport" (func))))
            {HOLLOW})"#
    ));
    assert!(matches!(refusal, Refusal::WrongTypes(_)), "{refusal}");
    assert!(refusal.to_string().contains("teleport"), "{refusal}");
}

#[test]
fn strings_that_would_have_to_be_transcoded_are_refused() {
    for (encoding, name) in [("utf16", "UTF-16"), ("latin1+utf16", "Latin-1/UTF-16")] {
        let text = format!(
            r#"(component
                (core module $m
                    (memory (export "memory") 1)
                    (func (export "realloc") (param i32 i32 i32 i32) (result i32) i32.const 0)
                    (func (export "say") (param i32 i32)))
                (core instance $i (instantiate $m))
                (func $say (param "words" string) (canon lift (core func $i "say")
                    string-encoding={encoding} (memory (core memory $i "memory")) (realloc (core func $i "realloc"))))
                (export "say" (func $say))
                {HOLLOW})"#
        );
        let refusal = refused(&text);
        assert!(
            matches!(refusal, Refusal::StringEncoding(found) if found == name),
            "{refusal}"
        );
        // The same in UTF-8 gets further: to the types of its export.
        let refusal = refused(&text.replace(encoding, "utf8"));
        assert!(matches!(refusal, Refusal::WrongTypes(_)), "{refusal}");
    }
}

#[test]
fn the_parts_of_webassembly_that_are_switched_off_do_not_compile() {
    for part in [
        "(memory i64 1)",
        "(memory 1) (memory 1)",
        "(memory 1 1 shared)",
        "(type (struct))",
        "(func $f return_call $f)",
    ] {
        let refusal = refused(&format!("(component (core module {part}) {HOLLOW})"));
        assert!(matches!(refusal, Refusal::Invalid(_)), "{part}: {refusal}");
    }
}

#[test]
fn a_core_module_is_taken_only_with_its_component_type() {
    let refusal = refused(r#"(module (func (export "run")))"#);
    assert!(matches!(refusal, Refusal::NotAComponent(_)), "{refusal}");
    assert!(
        refusal.to_string().contains("airlock guest build"),
        "{refusal}"
    );
}

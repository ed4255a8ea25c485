use serde_json::json;

use super::*;
use crate::files::testing;

const SIGNED: &str = "/files/tools/1.png?timestamp=1&nonce=2&sign=3=";

#[test]
fn a_signed_link_becomes_its_file_s_name_and_the_file_is_known_once() {
    let call = testing::call();
    for (text, replaced) in [
        (format!("See ![chart]({SIGNED}) here"), "See [chart] here"),
        (format!("[report](http://api:5001{SIGNED})"), "[report]"),
        (
            format!("![](https://dify.example{SIGNED} \"title\")!"),
            "[1.png]!",
        ),
        (format!("图 {SIGNED}\nend"), "图 [1.png]\nend"),
        (format!("<{SIGNED}> and {SIGNED}"), "<[1.png]> and [1.png]"),
    ] {
        let mut found = Vec::new();
        assert_eq!(
            call.without_links(&text, &mut found).as_deref(),
            Some(replaced)
        );
        assert_eq!(found.len(), 1, "{text}");
    }
    for other in [
        "no link",
        "/files/tools/1.png",
        "![a](https://example.com/a.png)",
        "日本/files/語",
    ] {
        assert_eq!(call.without_links(other, &mut Vec::new()), None, "{other}");
    }
}

#[test]
fn a_file_loses_its_address_wherever_it_stands_and_gets_a_reference() {
    let call = testing::call();
    let mut value = json!({"out": [{"dify_model_identity": "__dify__file__", "filename": "a.png", "size": 70,
        "transfer_method": "tool_file", "url": format!("http://api:5001{SIGNED}"), "remote_url": null}],
        "text": format!("![a]({SIGNED})"), "n": 1});
    let mut found = Vec::new();
    call.replace(&mut value, &mut found);
    assert_eq!(found.len(), 1, "the link and the object are one file");
    assert_eq!(
        value,
        json!({"out": [{"filename": "a.png", "size": 70, "x-airlock-file": found[0]}], "text": "[a]", "n": 1})
    );
    let held = call.find(&found[0]).expect("it is held");
    assert_eq!(held.mime_type, "image/png");
}

#[test]
fn a_file_from_elsewhere_is_known_by_its_address_and_a_strange_one_by_none() {
    let call = testing::call();
    let file = |method: &str, url: &str| {
        let file = json!({"transfer_method": method, "url": url, "filename": "r.txt"});
        call.found(file.as_object().expect("an object"))
    };
    let held = file("remote_url", "https://example.com/r").and_then(|r| call.find(&r));
    assert!(matches!(&held.expect("held").source, Source::Elsewhere(_)));
    assert_eq!(file("remote_url", "file:///etc/passwd"), None);
    assert_eq!(file("tool_file", "http://169.254.169.254/latest"), None);
}

#[test]
fn a_link_in_pieces_never_gets_through_and_nothing_else_is_lost() {
    let call = testing::call();
    let text = format!(
        "A [note] on a/b: ![chart]({SIGNED}) and http://x{SIGNED} or [x](https://example.com/) end."
    );
    let whole = call
        .without_links(&text, &mut Vec::new())
        .expect("it has links");
    for cut in 1..text.len() {
        let mut pieces = Pieces::default();
        let mut out = String::new();
        let characters: Vec<char> = text.chars().collect();
        for piece in characters.chunks(cut) {
            let ready = pieces.push(&piece.iter().collect::<String>(), &call);
            assert!(!ready.contains("sign="), "{cut}: {ready}");
            out.push_str(&ready);
        }
        out.push_str(&pieces.rest(&call));
        assert!(!out.contains("sign="), "{cut}: {out}");
        assert!(
            out.starts_with("A [note] on a/b: ") && out.ends_with("end."),
            "{cut}: {out}"
        );
    }
    assert_eq!(
        whole,
        "A [note] on a/b: [chart] and [1.png] or [x](https://example.com/) end."
    );
}

use super::*;

fn chat() -> App {
    app("A", Mode::Chat, json!([]))
}

fn answer() -> Answer {
    Answer {
        conversation: Some("h2".to_owned()),
        ..Answer::text("Hello.")
    }
}

fn called(host: &Host, conversation: Value) -> CallResult {
    let arguments = json!({ "query": "hi", "conversation": conversation });
    complete(host.call::<AnyApp>(&chat(), "a", arguments))
}

fn asked(host: &Host) -> Option<String> {
    host.requests()[0].conversation.clone()
}

#[test]
fn a_session_goes_on_with_its_conversation_where_the_caller_names_none() {
    for silent in [Value::Null, json!("")] {
        let host = Host::new().session(Some("h1")).answers(answer());
        let result = called(&host, silent);
        assert_eq!(asked(&host).as_deref(), Some("h1"));
        assert_eq!(
            texts(&result),
            ["Hello."],
            "there is nothing to do to go on"
        );
        assert_eq!(
            Value::from(result.meta),
            json!({ "airlock/sessionConversation": "continued", "airlock/conversation": "h2" })
        );
        assert_eq!(Value::from(result.extra), json!({ "conversation": "h2" }));
    }
}

#[test]
fn a_session_begins_anew_when_it_has_none_or_is_told_to() {
    for (has, given) in [(None, Value::Null), (Some("h1"), json!("new"))] {
        let host = Host::new().session(has).answers(answer());
        let result = called(&host, given);
        assert_eq!(asked(&host), None);
        assert!(texts(&result)[1].contains("nothing was said before"));
        assert_eq!(result.meta["airlock/sessionConversation"], "new");
        assert_eq!(result.extra["conversation"], "h2");
    }
}

#[test]
fn a_handle_of_the_caller_s_comes_before_the_session_s() {
    let host = Host::new().session(Some("h1")).answers(answer());
    let result = called(&host, json!("h0"));
    assert_eq!(asked(&host).as_deref(), Some("h0"));
    assert_eq!(result.meta["airlock/sessionConversation"], "continued");
}

#[test]
fn the_schema_says_what_leaving_it_out_does() {
    let words = |app: &App| {
        schema(app)["properties"]["conversation"]["description"]
            .as_str()
            .expect("a text")
            .to_owned()
    };
    assert!(words(&chat()).contains("Leave it out to start a new one"));
    let mut app = chat();
    app.settings = vec![("conversation".to_owned(), "per-session".to_owned())];
    assert!(words(&app).contains("Leave it out to go on") && words(&app).contains("`new`"));
}

#[test]
fn a_conversation_that_the_app_began_anew_is_said_to_be() {
    let mut restarted = answer();
    restarted
        .extra
        .insert("conversation_restarted".to_owned(), json!(true));
    for (follows, session) in [(false, Value::Null), (true, json!("new"))] {
        let host = Host::new().answers(restarted.clone());
        let host = if follows {
            host.session(Some("h1"))
        } else {
            host
        };
        let result = called(&host, json!("h1"));
        let said = texts(&result).join("\n");
        assert!(said.contains("It has begun a new one"), "{said}");
        assert_eq!(result.meta["airlock/conversationRestarted"], true);
        let stands = result.meta.get("airlock/sessionConversation");
        assert_eq!(stands.unwrap_or(&Value::Null), &session);
    }
}

#[test]
fn sources_are_named_once_and_their_ids_stay_in_dify() {
    let mut answer = answer();
    let found = |position: u32, document: &str| {
        json!({ "position": position, "dataset_id": "d-1", "dataset_name": "Travel", "document_id": "x-1",
            "document_name": document, "segment_id": "s-1", "score": 0.5, "content": "Lisbon has hills.", "title": null })
    };
    let resources = json!([
        found(1, "guide.pdf"),
        found(2, "guide.pdf"),
        found(3, "map.pdf")
    ]);
    answer
        .extra
        .insert("retriever_resources".to_owned(), resources);
    let host = Host::new().answers(answer);
    let result = called(&host, Value::Null);
    assert_eq!(
        texts(&result)[1],
        "Sources:\n- guide.pdf (Travel)\n- map.pdf (Travel)"
    );
    assert_eq!(
        result.meta["airlock/citations"][0],
        json!({ "position": 1, "document": "guide.pdf", "knowledge": "Travel", "score": 0.5,
            "content": "Lisbon has hills." })
    );
    assert_eq!(
        result.meta["airlock/citations"].as_array().map(Vec::len),
        Some(3)
    );
}

use std::time::Duration;

use crate::client::{self, Change, Level};
use crate::dify::{self, Answer, Event, Node, Request};
use crate::testing::Host;
use crate::{
    App, CallRequest, CallResult, CompleteRequest, Completion, Completions, Content, End, Error,
    Guest, Manifest, Map, Mode, Outcome, Prompt, PromptArgument, PromptList, PromptRequest,
    PromptResult, Prompts, Questions, ReadRequest, ReadResult, Resource, ResourceList, Resources,
    Role, Schema, Tool, Value, json,
};

fn request(arguments: Value) -> CallRequest {
    let Value::Object(arguments) = arguments else {
        panic!("arguments are an object")
    };
    CallRequest {
        arguments,
        ..CallRequest::default()
    }
}

#[test]
fn arguments_are_read_as_the_type_that_is_wanted() {
    let request = request(
        json!({ "t": "x", "whole": 3.0, "list": ["a", "b"], "none": null, "o": { "k": 1 } }),
    );
    assert_eq!(request.get::<&str>("t"), Ok("x"));
    assert_eq!(request.get::<i64>("whole"), Ok(3));
    assert_eq!(request.get::<Vec<&str>>("list"), Ok(vec!["a", "b"]));
    assert_eq!(request.get::<Option<bool>>("none"), Ok(None));
    assert_eq!(request.get::<&Map<String, Value>>("o").map(Map::len), Ok(1));
}

#[test]
fn an_argument_that_does_not_fit_is_named_in_a_sentence() {
    let request = request(json!({ "t": 1, "n": 0.5 }));
    let sentence = |error: Error| error.to_string();
    assert_eq!(
        request.get::<&str>("t").map_err(sentence),
        Err("`t` must be a text".to_owned())
    );
    assert_eq!(
        request.get::<i64>("n").map_err(sentence),
        Err("`n` must be a whole number".to_owned())
    );
    assert_eq!(
        request.get::<f64>("gone").map_err(sentence),
        Err("`gone` is missing: it must be a number".to_owned())
    );
    assert_eq!(
        request.get::<Option<&str>>("t").map_err(sentence),
        Err("`t` must be a text".to_owned())
    );
}

#[test]
fn a_schema_is_what_its_methods_say() {
    let schema = Schema::object()
        .required("topic", Schema::text().title("Topic").max_length(10))
        .property("style", Schema::choice(["a", "b"]).default("a"))
        .property(
            "many",
            Schema::list(Schema::integer().range(1, 9)).max_items(3),
        );
    assert_eq!(
        Value::from(schema),
        json!({ "type": "object",
            "properties": {
                "topic": { "type": "string", "title": "Topic", "maxLength": 10 },
                "style": { "type": "string", "enum": ["a", "b"], "default": "a" },
                "many": { "type": "array", "items": { "type": "integer", "minimum": 1, "maximum": 9 }, "maxItems": 3 },
            },
            "additionalProperties": false, "required": ["topic"] })
    );
}

#[test]
fn a_schema_takes_in_a_form_after_its_own_properties() {
    let mut app = App::new("A", Mode::Chat);
    app.parameters = json!({ "user_input_form": [{ "text-input": { "variable": "topic", "label": "T", "required": true } }] });
    let schema = Value::from(
        Schema::object()
            .required("query", Schema::text())
            .form(&app.form()),
    );
    assert_eq!(schema["required"], json!(["query", "topic"]));
    let names: Vec<&String> = schema["properties"]
        .as_object()
        .into_iter()
        .flat_map(Map::keys)
        .collect();
    assert_eq!(names, ["query", "topic"]);
}

#[test]
fn a_mode_is_its_word_and_only_two_modes_do_not_converse() {
    for word in [
        "chat",
        "agent-chat",
        "advanced-chat",
        "completion",
        "workflow",
        "agent",
        "telepathy",
    ] {
        let mode = Mode::from_word(word);
        assert_eq!(mode.as_str(), word);
        assert_eq!(
            mode.converses(),
            !["completion", "workflow"].contains(&word),
            "{word}"
        );
    }
}

#[test]
fn a_result_for_programs_is_a_text_as_well() {
    let result = CallResult::json(json!({ "名": 1 }));
    assert_eq!(
        result.content,
        [Content::Text("{\n  \"名\": 1\n}".to_owned())]
    );
    assert_eq!(result.structured, Some(json!({ "名": 1 })));
}

#[test]
fn questions_are_mcp_s_requests() {
    let questions = Questions::new(*b"state").elicit(
        "who",
        "Who?",
        Schema::object().required("name", Schema::text()),
    );
    assert_eq!(questions.requests["who"]["method"], "elicitation/create");
    assert_eq!(
        questions.requests["who"]["params"]["requestedSchema"]["required"],
        json!(["name"])
    );
    assert_eq!(
        Outcome::from(questions.clone()),
        Outcome::InputRequired(questions)
    );
}

#[test]
fn a_run_yields_its_events_and_then_its_end_once() {
    let node = Node {
        title: "Search".to_owned(),
        ..Node::default()
    };
    let _host = Host::new().runs(
        [Event::NodeStarted(node), Event::Text("a".to_owned())],
        Ok(Answer::text("a")),
    );
    let events: Vec<_> = dify::start(&Request::new())
        .expect("it is scripted")
        .collect();
    assert_eq!(events.len(), 3);
    assert_eq!(events[2], Ok(Event::Done(Answer::text("a"))));
}

#[test]
fn a_failed_run_ends_with_its_error() {
    let host = Host::new().fails(Error::Failed("no".to_owned()));
    let events: Vec<_> = dify::start(&Request::new())
        .expect("it is scripted")
        .collect();
    assert_eq!(events, [Err(Error::Failed("no".to_owned()))]);
    assert_eq!(host.stopped(), 0);
}

#[test]
fn a_run_that_is_stopped_or_dropped_early_is_counted_once() {
    let host = Host::new()
        .answers(Answer::text("a"))
        .answers(Answer::text("b"))
        .answers(Answer::text("c"));
    let mut stopped = dify::start(&Request::new()).expect("it is scripted");
    stopped.stop();
    assert!(matches!(stopped.next(), Some(Err(Error::Dify(error))) if error.code == "stopped"));
    drop(stopped);
    drop(dify::start(&Request::new()).expect("it is scripted"));
    assert_eq!(
        dify::start(&Request::new()).and_then(dify::Run::finish),
        Ok(Answer::text("c"))
    );
    assert_eq!(host.stopped(), 2);
}

#[test]
fn the_fake_host_remembers_what_the_guest_told_it() {
    let host = Host::new()
        .remaining(Duration::from_secs(2))
        .cancelled_after(1);
    client::progress(1.0, Some(2.0), Some("half"));
    client::log(Level::Warning, "odd");
    client::wait(Duration::from_millis(500));
    assert_eq!(host.progress()[0].message.as_deref(), Some("half"));
    assert_eq!(host.logged(), [(Level::Warning, json!("odd"))]);
    assert_eq!(client::remaining(), Duration::from_millis(1500));
    assert_eq!((client::cancelled(), client::cancelled()), (false, true));
}

struct Curious;
impl Guest for Curious {
    fn describe(_: &App) -> Result<Manifest, Error> {
        client::log(Level::Info, "describing");
        Ok(Manifest::new().tool(Tool::new("t", "d")))
    }
    fn call(_: &App, _: CallRequest) -> Result<Outcome, Error> {
        Ok(CallResult::new().into())
    }
}

#[test]
#[should_panic(expected = "`describe` must not use imports")]
fn a_guest_that_uses_imports_to_describe_is_found_out() {
    let _ = Host::new().describe::<Curious>(&App::new("A", Mode::Chat));
}

/// Exports everything there is.
struct Library;
crate::export!(Library with resources, prompts, completions);

impl Guest for Library {
    fn describe(_: &App) -> Result<Manifest, Error> {
        Ok(Manifest::new())
    }
    fn call(_: &App, request: CallRequest) -> Result<Outcome, Error> {
        Err(Error::UnknownTool(request.tool))
    }
}

impl Resources for Library {
    fn resources(_: &App) -> Result<ResourceList, Error> {
        Ok(ResourceList::new().resource(Resource::new("book://1", "one").mime_type("text/plain")))
    }
    fn read(_: &App, request: ReadRequest) -> Result<Option<End<ReadResult>>, Error> {
        client::changed(&Change::Contents(request.uri.clone()));
        let one = ReadResult::text("book://1", "text/plain", "Once upon a time");
        Ok((request.uri == "book://1").then(|| one.into()))
    }
}

impl Prompts for Library {
    fn prompts(_: &App) -> Result<PromptList, Error> {
        let find = Prompt::new("find").argument(PromptArgument::required("title"));
        Ok(PromptList::new().prompt(find))
    }
    fn get(_: &App, request: PromptRequest) -> Result<End<PromptResult>, Error> {
        client::tell(Level::Info, request.prompt.clone());
        let words = format!("Find “{}”.", request.get("title"));
        Ok(PromptResult::user(words)
            .and(Role::Assistant, "Which shelf?")
            .into())
    }
}

impl Completions for Library {
    fn complete(_: &App, request: CompleteRequest) -> Result<Completion, Error> {
        Ok(Completion::matching(
            ["The Old Tree", "Trees", "Rain"],
            &request.value,
        ))
    }
}

#[test]
fn a_guest_that_exports_more_is_tested_against_the_same_host() {
    let (host, app) = (Host::new(), App::new("Library", Mode::Chat));
    let list = host.resources::<Library>(&app).expect("a list");
    assert_eq!(list.resources[0].uri, "book://1");
    assert!(matches!(
        host.read::<Library>(&app, "book://1"),
        Ok(Some(End::Complete(_)))
    ));
    assert_eq!(host.read::<Library>(&app, "book://2"), Ok(None));
    assert_eq!(host.changes().len(), 2);
    assert!(host.prompts::<Library>(&app).expect("a list").prompts[0].arguments[0].required);
    let got = host.prompt::<Library>(&app, "find", json!({ "title": "Trees" }));
    let Ok(End::Complete(got)) = got else {
        panic!("the prompt is filled in, not {got:?}")
    };
    assert_eq!(got.messages[0].content, Content::from("Find “Trees”."));
    assert_eq!(host.told(), [(Level::Info, json!("find"))]);
    let typed = CompleteRequest::prompt("find", "title", "TREE");
    let completion = host.complete::<Library>(&app, typed).expect("values");
    assert_eq!(completion.values, ["Trees", "The Old Tree"]);
}

#[test]
fn a_completion_carries_a_hundred_values_and_says_that_there_are_more() {
    let completion = Completion::matching((0..250).map(|n| format!("option {n}")), "");
    assert_eq!(
        (completion.values.len(), completion.total),
        (100, Some(250))
    );
    assert!(completion.more);
}

#[test]
fn hosts_of_two_threads_do_not_meet() {
    let host = Host::new();
    std::thread::spawn(|| {
        let _other = Host::new();
        client::log(Level::Info, "elsewhere");
    })
    .join()
    .expect("the thread logs and ends");
    assert!(host.logged().is_empty());
}

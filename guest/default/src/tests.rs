use airlock_guest::dify::Answer;
use airlock_guest::testing::Host;
use airlock_guest::{
    App, Body, CallResult, CompleteRequest, Content, DifyError, End, Error, FileRef, Mode, Outcome,
    PromptResult, Tool, Value, json,
};

use crate::AnyApp;

mod conversation;
mod pause;

pub(super) fn app(name: &str, mode: Mode, form: Value) -> App {
    let mut app = App::new(name, mode);
    app.parameters = json!({ "user_input_form": form });
    app
}

fn tool(app: &App) -> Tool {
    Host::new()
        .describe::<AnyApp>(app)
        .expect("every app can be described")
        .tools
        .remove(0)
}

fn schema(app: &App) -> Value {
    tool(app).input.into()
}

pub(super) fn complete(outcome: Result<Outcome, Error>) -> CallResult {
    match outcome {
        Ok(Outcome::Complete(result)) => result,
        other => panic!("the call completes, not {other:?}"),
    }
}

pub(super) fn texts(result: &CallResult) -> Vec<&str> {
    result
        .content
        .iter()
        .filter_map(|content| {
            if let Content::Text(text) = content {
                Some(text.as_str())
            } else {
                None
            }
        })
        .collect()
}

/// The recorded form of a completion app: one of its variables is called `query`.
fn completion() -> App {
    app(
        "Completion Writer",
        Mode::Completion,
        json!([
            { "text-input": { "default": "", "label": "Topic", "max_length": 48, "required": true, "variable": "topic" } },
            { "select": { "default": "short", "label": "Style", "options": ["short", "long"], "required": false, "variable": "style" } },
            { "paragraph": { "default": "", "label": "Query", "required": true, "variable": "query" } },
        ]),
    )
}

#[test]
fn a_chat_app_is_asked_with_a_query_first_and_its_form_after() {
    let app = app(
        "Trip Planner",
        Mode::Chat,
        json!([{ "text-input": { "variable": "city", "label": "City", "required": true } }]),
    );
    let tool = tool(&app);
    assert_eq!(
        (tool.name.as_str(), tool.title.as_deref()),
        ("trip_planner", Some("Trip Planner"))
    );
    let schema = Value::from(tool.input);
    let names: Vec<&String> = schema["properties"]
        .as_object()
        .expect("properties are an object")
        .keys()
        .collect();
    assert_eq!(names, ["query", "city", "conversation"]);
    assert_eq!(schema["required"], json!(["query", "city"]));
}

#[test]
fn a_completion_app_s_own_query_is_a_variable_like_any_other() {
    assert_eq!(schema(&completion())["required"], json!(["topic", "query"]));
    assert_eq!(
        schema(&completion())["properties"].get("conversation"),
        None
    );
    let host = Host::new().answers(Answer::text("Rain falls."));
    let outcome = host.call::<AnyApp>(
        &completion(),
        "completion_writer",
        json!({ "topic": "rain", "query": "why?" }),
    );
    assert_eq!(texts(&complete(outcome)), ["Rain falls."]);
    let request = &host.requests()[0];
    assert_eq!(request.query, None);
    assert_eq!(
        Value::from(request.inputs.clone()),
        json!({ "topic": "rain", "query": "why?", "style": "short" })
    );
}

#[test]
fn a_chat_app_s_variable_named_query_gives_way_and_gets_its_value_all_the_same() {
    let app = app(
        "Odd",
        Mode::AdvancedChat,
        json!([
            { "text-input": { "variable": "query", "label": "Query" } },
            { "text-input": { "variable": "conversation", "label": "Topic of talk" } },
            { "text-input": { "variable": "input_query", "label": "Taken" } },
        ]),
    );
    let schema = schema(&app);
    let names: Vec<&String> = schema["properties"]
        .as_object()
        .expect("properties are an object")
        .keys()
        .collect();
    assert_eq!(
        names,
        [
            "query",
            "input_query_",
            "input_conversation",
            "input_query",
            "conversation"
        ]
    );
    let host = Host::new().answers(Answer::text("ok"));
    let arguments = json!({ "query": "said", "input_query_": "variable", "input_conversation": "topic", "conversation": "handle" });
    complete(host.call::<AnyApp>(&app, "odd", arguments));
    let request = &host.requests()[0];
    assert_eq!(
        (request.query.as_deref(), request.conversation.as_deref()),
        (Some("said"), Some("handle"))
    );
    assert_eq!(
        Value::from(request.inputs.clone()),
        json!({ "query": "variable", "conversation": "topic" })
    );
}

#[test]
fn an_empty_conversation_is_a_new_one() {
    let host = Host::new().answers(Answer::text("ok"));
    complete(host.call::<AnyApp>(
        &app("A", Mode::Chat, json!([])),
        "a",
        json!({ "query": "hi", "conversation": "" }),
    ));
    assert_eq!(host.requests()[0].conversation, None);
}

#[test]
fn an_answer_in_a_conversation_says_how_to_go_on() {
    let answer = Answer {
        conversation: Some("h1".to_owned()),
        usage: Some(json!({ "total_tokens": 3 })),
        ..Answer::text("Hello.")
    };
    let host = Host::new().answers(answer);
    let result = complete(host.call::<AnyApp>(
        &app("A", Mode::Chat, json!([])),
        "a",
        json!({ "query": "hi" }),
    ));
    assert_eq!(
        texts(&result),
        [
            "Hello.",
            "(To go on with this conversation, call again with `conversation` set to `h1`.)"
        ]
    );
    assert_eq!(
        Value::from(result.meta),
        json!({ "airlock/usage": { "total_tokens": 3 }, "airlock/conversation": "h1" })
    );
    assert_eq!(result.structured, None);
}

fn workflow(answer: Answer) -> CallResult {
    let host = Host::new().answers(answer);
    complete(host.call::<AnyApp>(&app("Flow", Mode::Workflow, json!([])), "flow", json!({})))
}

#[test]
fn a_workflow_s_only_text_is_the_text_and_its_outputs_are_structured() {
    let result = workflow(Answer::output("result", "Fine."));
    assert_eq!(texts(&result), ["Fine."]);
    assert_eq!(result.structured, Some(json!({ "result": "Fine." })));
}

#[test]
fn a_workflow_s_other_outputs_are_readable_json() {
    let result = workflow(Answer::output("名", "好").and_output("n", 1));
    assert_eq!(texts(&result), ["{\n  \"名\": \"好\",\n  \"n\": 1\n}"]);
    assert_eq!(
        texts(&workflow(Answer::text(""))),
        ["The app finished without an answer."]
    );
}

#[test]
fn files_are_handed_on_as_the_host_holds_them() {
    let file = FileRef("f1".to_owned());
    let result = workflow(Answer {
        files: vec![file.clone()],
        ..Answer::text("")
    });
    assert_eq!(result.content, [Content::File(file)]);
}

#[test]
fn a_partial_success_is_a_success_that_says_so() {
    let result = workflow(Answer {
        status: "partial-succeeded".to_owned(),
        ..Answer::output("r", "R")
    });
    assert!(!result.is_error);
    assert!(texts(&result)[1].contains("a step of this app failed"));
}

#[test]
fn dify_s_errors_come_through_as_they_are() {
    let error = Error::from(DifyError {
        status: 400,
        code: "app_unavailable".to_owned(),
        ..DifyError::default()
    });
    let host = Host::new().fails(error.clone());
    assert_eq!(
        host.call::<AnyApp>(&app("Flow", Mode::Workflow, json!([])), "flow", json!({})),
        Err(error)
    );
}

#[test]
fn an_app_of_a_mode_that_is_not_known_answers_with_its_text_or_else_with_its_outputs() {
    let oracle = Mode::Other("oracle".to_owned());
    let silent = Answer::output("r", "R");
    let speaking = Answer {
        text: "said".to_owned(),
        ..silent.clone()
    };
    for (answer, said) in [(silent, "R"), (speaking, "said")] {
        let result = crate::answer::result(&oracle, answer, crate::conversation::GoesOn::ByHandle);
        assert_eq!(texts(&result), [said]);
        assert_eq!(result.structured, None);
    }
}

#[test]
fn an_output_that_is_a_file_says_what_it_is_and_not_by_which_name_the_host_knows_it() {
    let file = json!({ "filename": "a.png", "x-airlock-file": "airlock-ref:1" });
    let result = workflow(Answer {
        files: vec![FileRef("airlock-ref:1".to_owned())],
        ..Answer::output("pictures", json!([file]))
    });
    assert_eq!(
        result.structured,
        Some(json!({ "pictures": [{ "filename": "a.png" }] }))
    );
    assert!(!texts(&result)[0].contains("airlock-ref"));
    assert_eq!(result.content.len(), 2);
}

#[test]
fn files_are_marked_in_the_schema_and_handed_on_as_the_host_s_references() {
    let app = app(
        "Reader",
        Mode::Workflow,
        json!([
            { "file": { "variable": "doc", "label": "Document", "allowed_file_types": ["document"], "allowed_file_upload_methods": ["remote_url"] } },
        ]),
    );
    let host = Host::new().answers(Answer::output("r", "R"));
    let tool = &host.describe::<AnyApp>(&app).expect("described").tools[0];
    let schema = Value::from(tool.input.clone());
    assert_eq!(
        schema["properties"]["doc"]["x-airlock-file"]["types"],
        json!(["document"])
    );
    complete(host.call::<AnyApp>(&app, "reader", json!({ "doc": "airlock-ref:1" })));
    assert_eq!(host.requests()[0].inputs["doc"], "airlock-ref:1");
}

#[test]
fn a_chat_that_looks_at_files_takes_them_beside_its_form() {
    let mut app = app(
        "Looker",
        Mode::Chat,
        json!([{ "text-input": { "variable": "files", "label": "Files" } }]),
    );
    app.parameters["file_upload"] =
        json!({ "image": { "enabled": true, "number_limits": 2, "transfer_methods": [] } });
    let host = Host::new().answers(Answer::text("seen"));
    let tool = &host.describe::<AnyApp>(&app).expect("described").tools[0];
    let schema = Value::from(tool.input.clone());
    assert_eq!(schema["properties"]["files"]["maxItems"], 2);
    complete(host.call::<AnyApp>(
        &app,
        "looker",
        json!({ "query": "?", "files": ["airlock-ref:1"], "input_files": "mine" }),
    ));
    let request = &host.requests()[0];
    assert_eq!(request.files, [FileRef("airlock-ref:1".to_owned())]);
    assert_eq!(request.inputs["files"], "mine");
}

#[test]
fn a_missing_query_is_named() {
    let refused = Host::new().call::<AnyApp>(&app("A", Mode::Chat, json!([])), "a", json!({}));
    assert_eq!(
        refused,
        Err(Error::InvalidArguments(
            "`query` is missing: it must be a text".to_owned()
        ))
    );
}

#[test]
fn a_tool_of_another_name_is_unknown() {
    let refused = Host::new().call::<AnyApp>(&completion(), "elsewhere", json!({}));
    assert_eq!(refused, Err(Error::UnknownTool("elsewhere".to_owned())));
}

#[test]
fn an_app_without_a_description_is_described_by_what_is_known() {
    assert_eq!(
        tool(&completion()).description,
        "Runs the text generator “Completion Writer” and returns its text. Inputs: Topic, Style, Query."
    );
    let empty = app("Nightly", Mode::Workflow, json!([]));
    assert_eq!(
        tool(&empty).description,
        "Runs the workflow “Nightly” and returns its outputs. It takes no inputs."
    );
    let mut written = empty;
    written.description = " Sends the nightly report. ".to_owned();
    assert_eq!(tool(&written).description, "Sends the nightly report.");
}

#[test]
fn the_instructions_are_the_app_s_own_words_and_none_where_it_has_none() {
    let mut app = App::new("A", Mode::Chat);
    assert_eq!(
        Host::new()
            .describe::<AnyApp>(&app)
            .map(|manifest| manifest.instructions),
        Ok(None)
    );
    app.description = "Plans trips.".to_owned();
    app.parameters = json!({ "opening_statement": "Where to?", "suggested_questions": ["Rome?"] });
    let instructions = Host::new()
        .describe::<AnyApp>(&app)
        .map(|manifest| manifest.instructions);
    let expected = "Plans trips.\n\nThe app opens a conversation with: Where to?\n\nQuestions it suggests:\n- Rome?";
    assert_eq!(instructions, Ok(Some(expected.to_owned())));
}

#[test]
fn only_what_merely_generates_text_is_said_to_destroy_nothing() {
    let hints = |mode| {
        Value::from(
            tool(&app("A", mode, json!([])))
                .annotations
                .expect("every tool has hints"),
        )
    };
    assert_eq!(
        hints(Mode::Workflow),
        json!({ "readOnlyHint": false, "idempotentHint": false, "openWorldHint": true })
    );
    assert_eq!(hints(Mode::Chat)["destructiveHint"], json!(false));
}

fn begins(app: &App, prompt: &str, arguments: Value) -> PromptResult {
    match Host::new().prompt::<AnyApp>(app, prompt, arguments) {
        Ok(End::Complete(result)) => result,
        other => panic!("the prompt is filled in, not {other:?}"),
    }
}

#[test]
fn a_person_begins_with_the_tool_s_inputs_or_with_a_suggested_question() {
    let mut planner = app(
        "Trip Planner",
        Mode::Chat,
        json!([{ "select": { "variable": "style", "label": "Style", "required": true, "options": ["brief", "long"] } }]),
    );
    planner.parameters["opening_statement"] = json!("Where to?");
    planner.parameters["suggested_questions"] = json!(["What about Rome?"]);
    let list = Host::new()
        .prompts::<AnyApp>(&planner)
        .expect("every app has prompts");
    let names: Vec<&str> = list.prompts.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(names, ["trip_planner", "question_1"]);
    let arguments: Vec<&str> = list.prompts[0]
        .arguments
        .iter()
        .map(|it| it.name.as_str())
        .collect();
    assert_eq!(arguments, ["query", "style"]);

    let whole = begins(
        &planner,
        "trip_planner",
        json!({ "query": "A weekend", "style": "brief" }),
    );
    assert_eq!(whole.messages[0].content, Content::from("Where to?"));
    assert_eq!(
        whole.messages[1].content,
        Content::from("Ask “Trip Planner”: A weekend\n\nInputs:\n- Style (`style`): brief")
    );
    let question = begins(&planner, "question_1", json!({}));
    assert_eq!(
        question.messages[0].content,
        Content::from("Ask “Trip Planner”: What about Rome?")
    );
    let gone = Host::new().prompt::<AnyApp>(&planner, "question_2", json!({}));
    assert!(matches!(gone, Err(Error::Failed(_))));
}

#[test]
fn a_select_is_completed_with_its_options() {
    let app = completion();
    let values = |argument, typed| {
        let request = CompleteRequest::prompt("completion_writer", argument, typed);
        Host::new()
            .complete::<AnyApp>(&app, request)
            .expect("it always answers")
            .values
    };
    assert_eq!(values("style", "LO"), ["long"]);
    assert_eq!(values("style", ""), ["short", "long"]);
    assert!(values("topic", "a").is_empty());
}

#[test]
fn the_app_s_facts_can_be_read() {
    let mut app = completion();
    app.description = "Writes.".to_owned();
    app.tags = vec!["text".to_owned()];
    let list = Host::new().resources::<AnyApp>(&app).expect("a list");
    let read = Host::new().read::<AnyApp>(&app, &list.resources[0].uri);
    let Ok(Some(End::Complete(read))) = read else {
        panic!("what is listed can be read, not {read:?}")
    };
    assert_eq!(
        read.contents[0].body,
        Body::Text(
            "# Completion Writer\n\nA Dify app (`completion`).\n\nWrites.\n\nTags: text\n\n## It takes\n\n\
             - Topic (`topic`, required)\n- Style (`style`)\n- Query (`query`, required)\n"
                .to_owned()
        )
    );
    assert_eq!(
        Host::new().read::<AnyApp>(&app, "dify-app://other"),
        Ok(None)
    );
}

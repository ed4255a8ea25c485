use airlock_guest::{
    CallRequest, CallResult, Error, Map, Outcome, Questions, Schema, Tool, Value, client, json,
};

pub(crate) fn tools() -> Vec<Tool> {
    let with = |name: &str, description: &str, argument: &str| {
        Tool::new(name, description).input(Schema::object().required(argument, Schema::text()))
    };
    let mut tools = vec![
        with("test_sampling", "Asks the client's model.", "prompt"),
        with("test_elicitation", "Asks a person.", "message"),
    ];
    let rounds = [
        ("test_elicitation_sep1034_defaults", "Asks with defaults."),
        ("test_elicitation_sep1330_enums", "Asks with choices."),
        ("test_streaming_elicitation", "Asks a person."),
        ("test_input_required_result_elicitation", "Asks for a name."),
        (
            "test_input_required_result_sampling",
            "Asks the client's model.",
        ),
        (
            "test_input_required_result_list_roots",
            "Asks for directories.",
        ),
        (
            "test_input_required_result_request_state",
            "Asks, and keeps a state.",
        ),
        (
            "test_input_required_result_multiple_inputs",
            "Asks three things at once.",
        ),
        ("test_input_required_result_multi_round", "Asks twice."),
        (
            "test_input_required_result_tampered_state",
            "Asks, and keeps a state.",
        ),
        (
            "test_input_required_result_capabilities",
            "Asks what the client can answer.",
        ),
    ];
    tools.extend(
        rounds
            .into_iter()
            .map(|(name, description)| Tool::new(name, description)),
    );
    tools
}

/// Nothing where the tool is none of these.
pub(crate) fn call(request: &CallRequest) -> Option<Result<Outcome, Error>> {
    Some(Ok(match request.tool.as_str() {
        "test_sampling" => return Some(sampling(request)),
        "test_elicitation" => return Some(elicitation(request)),
        "test_elicitation_sep1034_defaults" => form(request, defaults()),
        "test_elicitation_sep1330_enums" => form(request, choices()),
        "test_input_required_result_elicitation" | "test_streaming_elicitation" => name(request),
        "test_input_required_result_sampling" => match response(request, "capital_question") {
            Some(answer) => CallResult::text(said(answer)).into(),
            None => sample("capital_question", "What is the capital of France?", 100).into(),
        },
        "test_input_required_result_list_roots" => match response(request, "client_roots") {
            Some(answer) => CallResult::text(answer.to_string()).into(),
            None => Questions::new([])
                .ask("client_roots", "roots/list", json!({}))
                .into(),
        },
        "test_input_required_result_request_state"
        | "test_input_required_result_tampered_state" => confirm(request),
        "test_input_required_result_multiple_inputs" => three(request),
        "test_input_required_result_multi_round" => rounds(request),
        "test_input_required_result_capabilities" => can(request),
        _ => return None,
    }))
}

/// What the client answered to that question.
pub(crate) fn response<'a>(request: &'a CallRequest, key: &str) -> Option<&'a Value> {
    request.answers.as_ref()?.responses.get(key)
}

/// A text that a person filled in; none where they did not accept, or wrote something else.
pub(crate) fn filled<'a>(response: &'a Value, field: &str) -> Option<&'a str> {
    (response["action"] == "accept").then(|| response["content"][field].as_str())?
}

pub(crate) fn ask_name(state: impl Into<Vec<u8>>) -> Questions {
    let schema = Schema::object().open().required("name", Schema::text());
    Questions::new(state).elicit("user_name", "What is your name?", schema)
}

fn sample(key: &str, words: &str, tokens: u32) -> Questions {
    let message = json!({ "role": "user", "content": { "type": "text", "text": words } });
    let params = json!({ "messages": [message], "maxTokens": tokens });
    Questions::new([]).ask(key, "sampling/createMessage", params)
}

/// The text of a model's answer.
fn said(answer: &Value) -> &str {
    answer["content"]["text"].as_str().unwrap_or_default()
}

fn sampling(request: &CallRequest) -> Result<Outcome, Error> {
    Ok(match response(request, "answer") {
        Some(answer) => CallResult::text(format!("LLM response: {}", said(answer))).into(),
        None => sample("answer", request.get("prompt")?, 100).into(),
    })
}

fn elicitation(request: &CallRequest) -> Result<Outcome, Error> {
    if let Some(answer) = response(request, "user") {
        return Ok(CallResult::text(format!("User response: {answer}")).into());
    }
    let schema = Schema::object()
        .open()
        .required("username", Schema::text().description("User's response"))
        .required("email", Schema::text().description("User's email address"));
    Ok(Questions::new([])
        .elicit("user", request.get("message")?, schema)
        .into())
}

/// Asks with that form and tells what came back.
fn form(request: &CallRequest, schema: Schema) -> Outcome {
    match response(request, "form") {
        Some(answer) => CallResult::text(format!(
            "Elicitation completed: action={}, content={}",
            answer["action"].as_str().unwrap_or_default(),
            answer["content"]
        ))
        .into(),
        None => Questions::new([])
            .elicit("form", "Please review and update the form fields", schema)
            .into(),
    }
}

fn defaults() -> Schema {
    Schema::object()
        .open()
        .property("name", Schema::text().default("John Doe"))
        .property("age", Schema::integer().default(30))
        .property("score", Schema::number().default(95.5))
        .property(
            "status",
            Schema::choice(["active", "inactive", "pending"]).default("active"),
        )
        .property("verified", Schema::boolean().default(true))
}

fn choices() -> Schema {
    let titled = |first: &str| {
        let options = [
            ("value1", first),
            ("value2", "Second Option"),
            ("value3", "Third Option"),
        ];
        json!(options.map(|(value, title)| json!({ "const": value, "title": title })))
    };
    let items = Schema::raw(Map::new()).set("anyOf", titled("First Choice"));
    Schema::object()
        .open()
        .property(
            "untitledSingle",
            Schema::choice(["option1", "option2", "option3"]),
        )
        .property(
            "titledSingle",
            Schema::text().set("oneOf", titled("First Option")),
        )
        .property(
            "legacyEnum",
            Schema::choice(["opt1", "opt2", "opt3"]).set(
                "enumNames",
                json!(["Option One", "Option Two", "Option Three"]),
            ),
        )
        .property(
            "untitledMulti",
            Schema::list(Schema::choice(["option1", "option2", "option3"])),
        )
        .property("titledMulti", Schema::list(items))
}

fn name(request: &CallRequest) -> Outcome {
    let answer = response(request, "user_name").and_then(|answer| filled(answer, "name"));
    match answer {
        Some(name) => CallResult::text(format!("Hello, {name}!")).into(),
        None => ask_name([]).into(),
    }
}

fn confirm(request: &CallRequest) -> Outcome {
    const STATE: &[u8] = b"asked for confirmation";
    match (&request.answers, response(request, "confirm")) {
        (Some(answers), Some(_)) if answers.state == STATE => {
            CallResult::text("state-ok: the state came back as it was").into()
        }
        _ => {
            let schema = Schema::object().open().required("ok", Schema::boolean());
            Questions::new(STATE)
                .elicit("confirm", "Please confirm", schema)
                .into()
        }
    }
}

fn three(request: &CallRequest) -> Outcome {
    let keys = ["user_name", "greeting", "client_roots"];
    let answers: Vec<&Value> = keys
        .iter()
        .filter_map(|key| response(request, key))
        .collect();
    if let [name, greeting, roots] = answers[..] {
        let name = filled(name, "name").unwrap_or("whoever you are");
        return CallResult::text(format!("{} {name}, {}", said(greeting), roots["roots"])).into();
    }
    let mut questions = ask_name(*b"three questions");
    questions
        .requests
        .extend(sample("greeting", "Generate a greeting", 50).requests);
    questions
        .ask("client_roots", "roots/list", json!({}))
        .into()
}

/// The state says which answer this is, and carries the first.
fn rounds(request: &CallRequest) -> Outcome {
    let step = |key: &str, message: &str, field: &str, state: &[u8]| {
        let schema = Schema::object().open().required(field, Schema::text());
        Questions::new(state).elicit(key, message, schema)
    };
    let state = request
        .answers
        .as_ref()
        .map(|answers| answers.state.as_slice());
    let first = response(request, "step1").and_then(|answer| filled(answer, "name"));
    let second = response(request, "step2").and_then(|answer| filled(answer, "color"));
    match (state, first, second) {
        (Some(b"1"), Some(name), _) => step(
            "step2",
            "Step 2: What is your favorite color?",
            "color",
            format!("2{name}").as_bytes(),
        )
        .into(),
        (Some([b'2', name @ ..]), _, Some(color)) => {
            CallResult::text(format!("{} likes {color}.", String::from_utf8_lossy(name))).into()
        }
        _ => step("step1", "Step 1: What is your name?", "name", b"1").into(),
    }
}

/// Asks a person, or else the model: whichever the client says it has.
fn can(request: &CallRequest) -> Outcome {
    if request.answers.is_some() {
        return CallResult::text("The client has answered.").into();
    }
    let capabilities = client::who().capabilities;
    if capabilities.contains_key("elicitation") {
        ask_name([]).into()
    } else if capabilities.contains_key("sampling") {
        sample("greeting", "Generate a greeting", 50).into()
    } else {
        CallResult::text("This client can be asked nothing.").into()
    }
}

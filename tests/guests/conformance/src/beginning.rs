use airlock_guest::{
    CompleteRequest, Completion, Content, End, Error, Prompt, PromptArgument, PromptList,
    PromptRequest, PromptResult, Questions, Reference, Role, Schema,
};

use crate::asking::filled;
use crate::plain::PNG;

pub(crate) fn list() -> PromptList {
    let prompt = |name| Prompt::new(name).description("A fixture.");
    let argument = |name| PromptArgument::required(name).description("A fixture.");
    PromptList::new()
        .prompt(prompt("test_simple_prompt"))
        .prompt(
            prompt("test_prompt_with_arguments")
                .argument(argument("arg1"))
                .argument(argument("arg2")),
        )
        .prompt(prompt("test_prompt_with_embedded_resource").argument(argument("resourceUri")))
        .prompt(prompt("test_prompt_with_image"))
        .prompt(prompt("test_input_required_result_prompt"))
}

pub(crate) fn get(request: &PromptRequest) -> Result<End<PromptResult>, Error> {
    let result = match request.prompt.as_str() {
        "test_simple_prompt" => PromptResult::user("This is a simple prompt for testing."),
        "test_prompt_with_arguments" => PromptResult::user(format!(
            "Prompt with arguments: arg1='{}', arg2='{}'",
            request.get("arg1"),
            request.get("arg2")
        )),
        "test_prompt_with_embedded_resource" => PromptResult::user(Content::resource(
            request.get("resourceUri"),
            "text/plain",
            "Embedded resource content for testing.",
        ))
        .and(Role::User, "Please process the embedded resource above."),
        "test_prompt_with_image" => PromptResult::user(Content::image("image/png", PNG))
            .and(Role::User, "Please analyze the image above."),
        "test_input_required_result_prompt" => {
            let answers = request.answers.as_ref();
            let answer = answers.and_then(|answers| answers.responses.get("user_context"));
            let Some(context) = answer.and_then(|answer| filled(answer, "context")) else {
                return Ok(Questions::new([])
                    .elicit(
                        "user_context",
                        "What context should the prompt use?",
                        Schema::object().open().required("context", Schema::text()),
                    )
                    .into());
            };
            PromptResult::user(format!("In the context of {context}."))
        }
        other => return Err(Error::Failed(format!("There is no prompt {other:?}."))),
    };
    Ok(result.into())
}

pub(crate) fn complete(request: &CompleteRequest) -> Completion {
    match (&request.reference, request.argument.as_str()) {
        (Reference::Prompt(prompt), "arg1") if prompt == "test_prompt_with_arguments" => {
            Completion::matching(["paris", "park", "party"], &request.value)
        }
        _ => Completion::none(),
    }
}

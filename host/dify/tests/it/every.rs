//! Every recording is in a table that says what must come of it, or is named here with the reason why Airlock never asks for it.

use std::collections::BTreeSet;

use airlock_dify::Error;

use crate::recording::{Recording, names};
use crate::server::Server;
use crate::{files, reading, refusals, replay, states};

/// Answers in one piece. This client always asks for a stream, so that one of these in its place is not what it asked.
#[rustfmt::skip]
const IN_ONE_PIECE: &[&str] = &[
    "cap-wf-after", "cf-convvar-1", "cf-file-out-blocking", "cf-file-out-relative", "cf-human-blocking", "cf-image-404-blocking",
    "cf-image-local-blocking", "cf-image-not-enabled-blocking", "cf-image-remote-blocking", "chat-auto-name-off",
    "chat-blocking-1", "chat-blocking-2", "chat-no-response-mode", "chat-required-1", "def2-checkbox-false",
    "def2-checkbox-null", "def2-empty-strings", "def2-exp-float", "def2-float", "def2-hidden-set", "def2-hidreq",
    "def2-int-like-float", "def2-json-override", "def2-max-exact", "def2-max-unicode", "def2-nul",
    "err-chat-deleted-conversation", "err-chat-empty-conversation-id", "err-chat-other-users-conversation",
    "err-chat-unknown-conversation", "err-empty-required", "err-json-schema-violated", "err-llm-workflow-model-fails",
    "err-user-number", "err-wrong-type-checkbox", "err-wrong-type-number-bool", "feat-chat-blocking",
    "feat-chat-image-local", "feat-chat-image-remote-blocking", "feat-chat-number-string", "file-use-blocking",
    "file-use-remote-url", "human-blocking", "human4-blocking", "llm-chat-blocking", "llm-chatflow-blocking",
    "llm-completion-blocking", "mod-cf_mod-input-blocking", "mod-cf_modout-output-blocking", "mod-chat_mod-input-blocking",
    "mod-chat_modout-output-blocking", "no-response-mode", "trace-id", "vision-chat-image-remote-blocking",
    "wf-big-blocking", "wf-default-value-blocking", "wf-fail-blocking", "wf-file-list-out-blocking",
    "wf-file-out-blocking", "wf-file-out-none-blocking", "wf-file-out-pdf-blocking", "wf-file-out-relative",
    "wf-if-else-blocking", "wf-iter-blocking", "wf-iter-parallel-blocking", "wf-loop-blocking", "wf-noinput",
    "wf-parallel-blocking", "wf-partial-blocking", "wf-retry-blocking", "wf-run-blocking", "wf-slow-blocking",
    "wf-two-ends-blocking", "wf-types-blocking", "wf-types-coerced", "wf-types-defaults", "wf-types-extra",
    "wf-types-nulls",
];

/// Tests that tell a story of several recordings each, and name them.
const STORIES: &[&str] = &[
    include_str!("follow.rs"),
    include_str!("history.rs"),
    include_str!("human_input.rs"),
];

/// What Airlock never asks Dify for, so that nothing of it can be met: the reason, and the recordings.
#[rustfmt::skip]
const UNASKED: &[(&str, &[&str])] = &[
    ("the published version of a workflow is run, never one that an id chooses", &["workflow-by-id"]),
    ("nobody is shown an app's icons or its web page", &[
        "agent_llm-meta", "cf_echo-meta", "cf_echo-site", "chat_llm-meta", "compl_llm-meta", "unpublished-meta",
        "unpublished-site", "wf_types-meta", "wf_types-site",
    ]),
    ("what Dify keeps of conversations and runs stays there", &[
        "cf-convvar-list", "cf-human-messages", "chat-conversation-delete", "chat-conversations", "chat-feedback",
        "chat-messages-list", "chat-variables", "err-feat-suggested-no-user", "err-feat-suggested-other-user",
        "feat-messages-list", "feat-messages-list-image", "feat-suggested", "suggested",
    ]),
    ("an app's files come from their signed addresses, never by their ids", &[
        "file-preview", "file-preview-message", "file-preview-message-attachment",
    ]),
    ("a file is fetched, never only its head", &["file-url-head"]),
    ("a form is known from the pause that tells of it", &[
        "human-form-get", "human4-expired-get", "human4-form-get",
    ]),
];

#[tokio::test]
async fn an_answer_in_one_piece_is_not_taken_for_a_stream() {
    for name in IN_ONE_PIECE {
        let recording = Recording::read(name);
        assert!(recording.succeeded() && !recording.is_stream(), "{name}");
        let request = Recording::read("chat-streaming-1").run("chat");
        let server = Server::start(move |_| recording.reply(usize::MAX)).await;
        let error = server.app().run(request).await.unwrap_err();
        assert!(matches!(error, Error::NotDify { .. }), "{name}: {error:?}");
    }
}

#[test]
fn no_recording_is_left_out() {
    let mut known: Vec<&str> = Vec::new();
    known.extend(replay::names());
    known.extend(refusals::names());
    known.extend(reading::names());
    known.extend(states::names());
    known.extend(files::names());
    known.extend(IN_ONE_PIECE);
    known.extend(UNASKED.iter().flat_map(|(_, names)| *names));
    let all: BTreeSet<String> = names(|_| true).into_iter().collect();
    let mut known: BTreeSet<String> = known.into_iter().map(str::to_owned).collect();
    let is_told = |name: &&String| {
        let quoted = format!("{name:?}");
        STORIES.iter().any(|story| story.contains(&quoted))
    };
    known.extend(all.iter().filter(is_told).cloned());
    let missing: Vec<_> = all.difference(&known).collect();
    let gone: Vec<_> = known.difference(&all).collect();
    assert!(
        missing.is_empty() && gone.is_empty(),
        "in no table: {missing:?}; in no file: {gone:?}"
    );
    let unasked: usize = UNASKED.iter().map(|(_, names)| names.len()).sum();
    println!(
        "{} recordings, {} of them met",
        all.len(),
        all.len() - unasked
    );
}

//! The five sample apps, one of each mode, and two for tests about files.

mod file_clerk;
mod photo_chat;
mod product_blurb;
mod support_desk;
mod travel_chat;
mod weekly_report;
mod word_counter;

use serde_json::{Value, json};

use crate::form::Form;
use crate::run::{Halt, Run};

/// A sample app.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SampleApp {
    /// A chat app: a required topic and a choice of style.
    TravelChat,
    /// An agent with one tool.
    WordCounter,
    /// A chatflow with a lookup and an answer.
    SupportDesk,
    /// A completion app whose variable is named `query`.
    ProductBlurb,
    /// A workflow of four working nodes and an input of every type but files.
    WeeklyReport,
    /// A workflow that takes files and makes some; not one of [`SampleApp::ALL`].
    FileClerk,
    /// A chat app that looks at pictures; not one of [`SampleApp::ALL`].
    PhotoChat,
}

/// A kind of Dify app, as `/info` names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// A model and a prompt, in conversations.
    Chat,
    /// A model with tools, in conversations.
    AgentChat,
    /// A chatflow: a graph of nodes, in conversations.
    AdvancedChat,
    /// A model and a prompt, one answer.
    Completion,
    /// A graph of nodes, one set of outputs.
    Workflow,
}

impl Mode {
    /// Dify's name of the mode.
    pub fn name(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::AgentChat => "agent-chat",
            Self::AdvancedChat => "advanced-chat",
            Self::Completion => "completion",
            Self::Workflow => "workflow",
        }
    }

    /// Whether a graph of nodes runs: in Dify's worker, with pings and `workflow_*` events.
    pub(crate) fn is_flow(self) -> bool {
        matches!(self, Self::AdvancedChat | Self::Workflow)
    }

    /// Whether runs belong to a conversation.
    pub(crate) fn has_conversations(self) -> bool {
        matches!(self, Self::Chat | Self::AgentChat | Self::AdvancedChat)
    }
}

impl SampleApp {
    /// Every sample app that a demo shows.
    pub const ALL: [Self; 5] = [
        Self::TravelChat,
        Self::WordCounter,
        Self::SupportDesk,
        Self::ProductBlurb,
        Self::WeeklyReport,
    ];

    /// Its mode.
    pub fn mode(self) -> Mode {
        match self {
            Self::TravelChat | Self::PhotoChat => Mode::Chat,
            Self::WordCounter => Mode::AgentChat,
            Self::SupportDesk => Mode::AdvancedChat,
            Self::ProductBlurb => Mode::Completion,
            Self::WeeklyReport | Self::FileClerk => Mode::Workflow,
        }
    }

    /// Its name, as `/info` gives it.
    pub fn name(self) -> &'static str {
        match self {
            Self::TravelChat => "Travel Chat",
            Self::WordCounter => "Word Counter",
            Self::SupportDesk => "Support Desk",
            Self::ProductBlurb => "Product Blurb",
            Self::WeeklyReport => "Weekly Report",
            Self::FileClerk => "File Clerk",
            Self::PhotoChat => "Photo Chat",
        }
    }

    /// What it does, in a sentence for people and for models.
    pub fn description(self) -> &'static str {
        match self {
            Self::TravelChat => {
                "Talks about a place to travel to, briefly or in detail, and remembers the conversation."
            }
            Self::WordCounter => "Counts the words or characters of a message, with a tool.",
            Self::SupportDesk => {
                "Answers a customer's question in the tone you choose, after looking up the order."
            }
            Self::ProductBlurb => "Writes a short blurb for a product in the language you choose.",
            Self::WeeklyReport => "Turns a week's notes into a report for the audience you choose.",
            Self::FileClerk => "Says what files it was given, and makes others.",
            Self::PhotoChat => "Talks about pictures.",
        }
    }

    pub(crate) fn form(self) -> Form {
        match self {
            Self::TravelChat => travel_chat::form(),
            Self::WordCounter => word_counter::form(),
            Self::SupportDesk => support_desk::form(),
            Self::ProductBlurb => product_blurb::form(),
            Self::WeeklyReport => weekly_report::form(),
            Self::FileClerk => file_clerk::form(),
            Self::PhotoChat => photo_chat::form(),
        }
    }

    /// The opening statement and the suggested questions.
    fn opening(self) -> (&'static str, &'static [&'static str]) {
        match self {
            Self::TravelChat => (
                "Hello! Which place shall we talk about?",
                &["When is the best time to visit?", "What should I pack?"],
            ),
            Self::SupportDesk => ("Welcome to the support desk.", &["Where is my order?"]),
            Self::WordCounter
            | Self::ProductBlurb
            | Self::WeeklyReport
            | Self::FileClerk
            | Self::PhotoChat => ("", &[]),
        }
    }

    /// `GET /info`.
    pub(crate) fn info(self) -> Value {
        json!({
            "name": self.name(), "description": self.description(), "tags": [], "mode": self.mode().name(),
            "author_name": "Airlock",
        })
    }

    /// `GET /parameters`.
    pub(crate) fn parameters(self, form: &Form) -> Value {
        let (opening, questions) = self.opening();
        let off = json!({"enabled": false});
        let (avoidance, upload) = if self.mode().is_flow() {
            (off.clone(), off.clone())
        } else {
            let image = json!({
                "detail": "high", "enabled": self == Self::PhotoChat, "number_limits": 3, "transfer_methods": ["remote_url", "local_file"],
            });
            (
                json!({"configs": [], "enabled": false, "type": ""}),
                json!({"image": image}),
            )
        };
        json!({
            "opening_statement": opening, "suggested_questions": questions, "suggested_questions_after_answer": off,
            "speech_to_text": off, "text_to_speech": {"enabled": false, "language": "", "voice": ""},
            "retriever_resource": {"enabled": true}, "annotation_reply": off, "more_like_this": off,
            "user_input_form": form.shown(), "sensitive_word_avoidance": avoidance, "file_upload": upload,
            "system_parameters": {
                "image_file_size_limit": 10, "video_file_size_limit": 100, "audio_file_size_limit": 50,
                "file_size_limit": 15, "workflow_file_upload_limit": 10,
            },
        })
    }

    /// `GET /meta`: which tools the app has.
    pub(crate) fn meta(self) -> Value {
        match self {
            Self::WordCounter => {
                json!({"tool_icons": {word_counter::TOOL: {"background": "#FFEAD5", "content": "🔢"}}})
            }
            Self::TravelChat
            | Self::SupportDesk
            | Self::ProductBlurb
            | Self::WeeklyReport
            | Self::FileClerk
            | Self::PhotoChat => json!({"tool_icons": {}}),
        }
    }

    /// `GET /site`.
    pub(crate) fn site(self) -> Value {
        json!({
            "title": self.name(), "chat_color_theme": null, "chat_color_theme_inverted": false, "icon_type": "emoji",
            "icon": "🤖", "icon_background": "#FFEAD5", "description": null, "copyright": null, "privacy_policy": null,
            "custom_disclaimer": "", "default_language": "en-US", "show_workflow_steps": true,
            "use_icon_as_answer_icon": false, "icon_url": null,
        })
    }
}

/// Runs the app's part of a run, from its first event to the last before the terminal ones, and returns its outputs
/// (null where the answer is all there is).
pub(crate) async fn play(run: &mut Run) -> Result<Value, Halt> {
    match run.sample {
        SampleApp::TravelChat => travel_chat::play(run).await,
        SampleApp::WordCounter => word_counter::play(run).await,
        SampleApp::SupportDesk => support_desk::play(run).await,
        SampleApp::ProductBlurb => product_blurb::play(run).await,
        SampleApp::WeeklyReport => weekly_report::play(run).await,
        SampleApp::FileClerk => file_clerk::play(run).await,
        SampleApp::PhotoChat => photo_chat::play(run).await,
    }
}

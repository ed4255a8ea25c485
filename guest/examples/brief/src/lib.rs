//! An example: a guest of its own mind, with two tools over one Dify app.
//!
//! The guest that serves any app hands the app's form to the caller and the app's words back. This one does neither: it
//! thinks of the questions itself, and shapes the answers so that a program can use them.
//!
//! * `brief` asks the app once and returns a list of points: [`dify::run_app`], the plain way.
//! * `compare` asks it twice and tells the caller what is going on meanwhile: [`dify::start`], event by event.
//!
//! `question` finds out where an app takes a text; `points` makes a list of an answer.

use airlock_guest::dify::{self, Answer, Event};
use airlock_guest::{
    Annotations, App, CallRequest, CallResult, Error, Guest, Manifest, Outcome, Schema, Tool,
    client, export, json,
};

mod points;
mod question;
#[cfg(test)]
mod tests;

use question::Question;

/// How many points a brief has where the caller does not say.
const USUAL: i64 = 3;
/// How many it has at most: past that it is no brief.
const MOST: i64 = 10;

/// The guest: a name to hang the trait on. It holds nothing, because every call gets an instance of its own.
#[derive(Debug)]
pub struct Brief;

// One line makes a component of the crate. Natively it expands to a check of the type, so that tests link.
export!(Brief);

impl Guest for Brief {
    /// Runs once and is kept, so it may look at the app as closely as it likes, but may not run it.
    fn describe(app: &App) -> Result<Manifest, Error> {
        // A guest that cannot serve an app says so here, to the operator, and not later to every caller.
        Question::for_app(app)?;

        let topic = || Schema::text().min_length(1).max_length(200);
        let count = Schema::integer()
            .range(1, MOST)
            .default(USUAL)
            .title("Points")
            .description("How many points.");
        let brief = Schema::object()
            .required("topic", Schema::text())
            .required("points", Schema::list(Schema::text()));
        let about = format!("Answers come from the Dify app “{}”.", app.name);

        Ok(Manifest::new()
            .instructions(format!(
                "Use `brief` for one topic and `compare` for two. {about}"
            ))
            .tool(
                Tool::new(
                    "brief",
                    format!("Sums a topic up in a few short points. {about}"),
                )
                .title("Brief")
                .input(
                    Schema::object()
                        .required(
                            "topic",
                            topic()
                                .title("Topic")
                                .description("What to sum up, in a few words."),
                        )
                        .property("points", count.clone()),
                )
                // With an output schema, the host holds the guest to it: every success carries such an object.
                .output(brief.clone())
                .annotations(Annotations::new().destructive(false)),
            )
            .tool(
                Tool::new(
                    "compare",
                    format!("Sums two topics up side by side. {about}"),
                )
                .title("Compare")
                .input(
                    Schema::object()
                        .required(
                            "left",
                            topic()
                                .title("Left")
                                .description("The first topic, in a few words."),
                        )
                        .required(
                            "right",
                            topic()
                                .title("Right")
                                .description("The second topic, in a few words."),
                        )
                        .property("points", count),
                )
                .output(
                    Schema::object()
                        .required("left", brief.clone())
                        .required("right", brief),
                )
                .annotations(Annotations::new().destructive(false))
                // Two runs take a while: a client may prefer to come back for the answer.
                .task(),
            ))
    }

    fn call(app: &App, request: CallRequest) -> Result<Outcome, Error> {
        // The arguments fit the schema, but a default is only a statement to the caller: acting on it is the guest's part.
        let count = request.get::<Option<i64>>("points")?.unwrap_or(USUAL);
        let question = Question::for_app(app)?;
        match request.tool.as_str() {
            "brief" => brief(&question, request.get("topic")?, count),
            "compare" => compare(
                &question,
                request.get("left")?,
                request.get("right")?,
                count,
            ),
            other => Err(Error::UnknownTool(other.to_owned())),
        }
    }
}

/// Asks once. Until a guest reports progress itself, the host makes messages of Dify's events, so there is none to write.
fn brief(question: &Question, topic: &str, count: i64) -> Result<Outcome, Error> {
    // `?` hands Dify's own error on; the host has the words for it.
    let answer = dify::run_app(&question.about(topic, count))?;
    let points = points::of(&answer, count)?;
    // Text for people and models, the object for programs.
    Ok(CallResult::text(points::listed(&points))
        .structured(json!({ "topic": topic, "points": points }))
        .into())
}

/// Asks twice, and says where it is.
fn compare(question: &Question, left: &str, right: &str, count: i64) -> Result<Outcome, Error> {
    let mut sides = Vec::new();
    for (done, topic) in [left, right].into_iter().enumerate() {
        let answer = follow(question, topic, count, done)?;
        sides.push((topic, points::of(&answer, count)?));
    }
    client::progress(2.0, Some(2.0), Some("Both topics are read."));

    let text: Vec<String> = sides
        .iter()
        .map(|(topic, points)| format!("{topic}\n{}", points::listed(points)))
        .collect();
    let side = |index: usize| json!({ "topic": sides[index].0, "points": sides[index].1 });
    Ok(CallResult::text(text.join("\n\n"))
        .structured(json!({ "left": side(0), "right": side(1) }))
        .into())
}

/// One run, event by event. Returning early drops the run, and that stops it in Dify.
fn follow(question: &Question, topic: &str, count: i64, done: usize) -> Result<Answer, Error> {
    let mut steps = 0.0;
    let say = |steps: f64, message: &str| {
        // Nobody knows how many steps a run has, so each goes half of what is left of this topic's share.
        #[expect(clippy::cast_precision_loss, reason = "it is 0 or 1")]
        let done = done as f64 + (1.0 - 0.5_f64.powf(steps));
        client::progress(done, Some(2.0), Some(message));
    };
    say(steps, &format!("Reading up on {topic}"));
    for event in dify::start(&question.about(topic, count))? {
        match event? {
            Event::NodeStarted(node) => {
                steps += 1.0;
                say(steps, &format!("{topic}: {}", node.title));
            }
            Event::Done(answer) => return Ok(answer),
            // The answer that comes with `Done` holds the whole text, replacements included.
            Event::Text(_)
            | Event::Replace(_)
            | Event::Thought(_)
            | Event::NodeFinished(_)
            | Event::File(_)
            | Event::Other(..) => {}
        }
        if client::cancelled() {
            return Err(Error::Failed("The comparison was cancelled.".to_owned()));
        }
    }
    Err(Error::Failed(
        "Dify ended the run without an answer.".to_owned(),
    ))
}

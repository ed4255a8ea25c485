use airlock_guest::dify::Answer;
use airlock_guest::{Error, Value};

/// The points of an answer: its lines without their bullets, as many as were asked for.
///
/// # Errors
/// The app said nothing. An error is better than an empty list here: the caller would take that for a brief.
pub(crate) fn of(answer: &Answer, count: i64) -> Result<Vec<String>, Error> {
    // A chat says its answer, a workflow puts it into an output under a name of its author's choice.
    let text = if answer.text.trim().is_empty() {
        answer
            .outputs
            .values()
            .find_map(Value::as_str)
            .unwrap_or_default()
    } else {
        &answer.text
    };
    let count = usize::try_from(count).unwrap_or_default();
    let points: Vec<String> = text
        .lines()
        .map(bare)
        .filter(|line| !line.is_empty())
        .take(count)
        .map(str::to_owned)
        .collect();
    if points.is_empty() {
        return Err(Error::Failed(
            "The app gave no text to make a brief of.".to_owned(),
        ));
    }
    Ok(points)
}

/// As a list that people read.
pub(crate) fn listed(points: &[String]) -> String {
    points
        .iter()
        .map(|point| format!("- {point}"))
        .collect::<Vec<_>>()
        .join("\n")
}

/// A line without the bullet (`-`, `*`, `•`) or the number (`1.`, `2)`) that models put before it.
fn bare(line: &str) -> &str {
    let line = line.trim();
    if let Some(rest) = line.strip_prefix(['-', '*', '•']) {
        return rest.trim_start();
    }
    let rest = line.trim_start_matches(|letter: char| letter.is_ascii_digit());
    match rest.strip_prefix(['.', ')']) {
        // `3.5 million` begins with a number too, but no space follows its point.
        Some(rest) if rest.starts_with(' ') && !line.starts_with(['.', ')']) => rest.trim_start(),
        _ => line,
    }
}

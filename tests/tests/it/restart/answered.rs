//! A task whose app asks a person: what was answered before the server ended stands.

use super::*;

fn answers(seen: &Seen) -> usize {
    let forms = seen.requests.iter();
    forms.filter(|it| it.path.starts_with("/v1/form/")).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_whose_form_was_answered_before_a_kill_goes_on_with_that_answer() {
    for (app, tool, arguments) in [
        (SampleApp::WeeklyReport, "weekly_report", report()),
        (
            SampleApp::SupportDesk,
            "support_desk",
            json!({"query": "Well?"}),
        ),
    ] {
        // Slow enough for the call to become a task before it asks.
        let dify = Options {
            step: Duration::from_secs(1),
            ..Options::instant()
        };
        let served = Served::new(app, None, dify).await;
        let asks = Behaviour::Ask {
            times: 1,
            open_for: Duration::from_secs(3_600),
        };
        served.desk.dify.set(app, asks);
        let hold = served.desk.dify.hold(app);
        let task = served.call(tool, arguments).await;
        let asked = served.end(&task).await;
        assert_eq!(asked["status"], "input_required", "{asked}");
        let content = json!({"note": "by hand", "level": "low", "action": "Approve"});
        let response = json!({"action": "accept", "content": content});
        let params = json!({"taskId": task, "inputResponses": {"form": response}});
        result_of(
            &served.url,
            "tasks/update",
            Some(&task),
            params,
            &follower(),
        )
        .await;
        served.seen(|seen| answers(seen) == 1).await;

        let served = served.killed().await;
        assert_eq!(served.get(&task).await["status"], "working");
        drop(hold);
        let text = served.text(&task).await;
        assert!(
            text.contains("by hand") && text.contains("approve"),
            "{text}"
        );
        let seen = served.desk.dify.seen();
        // Whether an answer has arrived, Dify knows: it is sent once more, and refused as one that is there.
        assert_eq!((runs(&seen), answers(&seen)), (1, 2), "{app:?}");
        assert!(seen.stops.is_empty(), "{:?}", seen.stops);
    }
}

use super::*;

fn claim() -> Claim {
    let now = "2026-03-01T12:00:00Z".parse().unwrap();
    Claim {
        run_id: Uuid::new_v4(),
        task: "t".into(),
        attempt_id: Uuid::new_v4(),
        holder: "me".into(),
        attempt: 1,
        tries: 1,
        dag: "d".into(),
        pipeline: "p".into(),
        hash: "h".into(),
        logical_at: now,
        interval: (now, now),
        params: Value::Null,
        run_started_at: now,
        first_look: true,
        age: Duration::ZERO,
        kept: None,
    }
}

fn of(bytes: usize) -> Value {
    json!({ "rows": "x".repeat(bytes) })
}

#[tokio::test]
async fn a_result_of_a_megabyte_is_a_file_until_its_run_is_forgotten() {
    let folder = std::env::temp_dir().join(format!("results-{}", Uuid::new_v4()));
    let (results, claim) = (Results::new(&folder), claim());
    let small = of(1_000);
    assert_eq!(results.keep(&claim, small.clone()).await, small);
    assert!(results.older(Duration::ZERO).await.unwrap().is_empty());
    let kept = results.keep(&claim, of(1 << 20)).await;
    assert_eq!(kept["stored"]["bytes"], (1 << 20) + 11);
    assert_eq!(results.open(kept.clone()).await, Ok(of(1 << 20)));
    assert!(results.older(Duration::from_secs(3600)).await.unwrap().is_empty());
    assert_eq!(results.older(Duration::ZERO).await.unwrap(), [claim.run_id]);
    results.forget(claim.run_id).await.unwrap();
    assert!(results.open(kept).await.unwrap_err().contains("can't be read"));
    std::fs::remove_dir_all(&folder).unwrap();
}

#[tokio::test]
async fn a_file_that_was_damaged_or_deleted_is_told_and_no_result() {
    let folder = tempfile::tempdir().unwrap();
    let (results, claim) = (Results::new(folder.path()), claim());
    let kept = results.keep(&claim, of(1 << 20)).await;
    let file = folder.path().join("results").join(kept["stored"]["file"].as_str().unwrap());
    let whole = std::fs::read(&file).unwrap();
    let damages: [(&[u8], &str); 4] = [
        (&whole[..whole.len() / 2], "EOF"),
        (b"", "EOF"),
        (b"\0\0\0\0", "expected value"),
        (&[&whole[..], b"{}"].concat(), "trailing characters"),
    ];
    for (damaged, cause) in damages {
        std::fs::write(&file, damaged).unwrap();
        let told = results.open(kept.clone()).await.unwrap_err();
        assert!(told.contains(cause) && told.contains(&file.display().to_string()), "{told}");
    }
    std::fs::remove_dir_all(folder.path()).unwrap();
    assert!(results.open(kept).await.unwrap_err().contains("can't be read"));
    // What is asked of it next makes the folder anew.
    let again = results.keep(&claim, of(1 << 20)).await;
    assert_eq!(results.open(again).await, Ok(of(1 << 20)));
}

#[tokio::test]
async fn what_can_not_be_kept_is_left_out_and_says_so() {
    let results = Results::new(&std::env::temp_dir().join(format!("results-{}", Uuid::new_v4())));
    let left = results.keep(&claim(), of(FILE_BYTES_MAX)).await;
    assert!(left["left_out"].as_str().unwrap().contains("more than 16777216"), "{left}");
    let nowhere = Results::new(Path::new("/dev/null/nothing"));
    let left = nowhere.keep(&claim(), of(1 << 20)).await;
    assert!(left["left_out"].as_str().unwrap().contains("could not be written"), "{left}");
    // Without a folder PostgreSQL's bound holds.
    assert_eq!(Results::new(Path::new("")).keep(&claim(), of(1 << 20)).await, of(1 << 20));
}

#[tokio::test]
async fn an_answer_that_looks_like_a_place_leads_nowhere_else() {
    let results = Results::new(Path::new("/etc"));
    for file in ["../passwd", "/etc/passwd", "a/b.json", "7"] {
        let answer = json!({ "stored": { "file": file } });
        assert_eq!(results.open(answer.clone()).await, Ok(answer));
    }
}

use super::*;

#[tokio::test]
async fn places_then_queue_then_no() {
    let admission = Arc::new(Admission::new(1, 1));
    let place = admission.enter().await.unwrap();
    let waits = tokio::spawn({
        let admission = Arc::clone(&admission);
        async move { admission.enter().await.map(drop) }
    });
    while admission.queued() == 0 {
        tokio::task::yield_now().await;
    }
    let refused = admission.enter().await.unwrap_err();
    assert_eq!(refused.kind, FailureKind::QueueFull);
    assert!(admission.try_enter().is_none());
    drop(place);
    waits.await.unwrap().unwrap();
    admission.idle().await;
    assert_eq!((admission.in_flight(), admission.queued()), (0, 0));
}

#[tokio::test]
async fn closing_turns_waiting_requests_away() {
    let admission = Arc::new(Admission::new(1, 10));
    let _place = admission.enter().await.unwrap();
    let waits = tokio::spawn({
        let admission = Arc::clone(&admission);
        async move { admission.enter().await.map(drop) }
    });
    while admission.queued() == 0 {
        tokio::task::yield_now().await;
    }
    admission.close();
    assert_eq!(waits.await.unwrap().unwrap_err().kind, FailureKind::Stopping);
    assert_eq!(admission.enter().await.unwrap_err().kind, FailureKind::Stopping);
}

//! A copy of the database, as a backup brings it back: taken while a run was in its middle.

use super::*;

#[tokio::test]
async fn a_copy_of_the_middle_of_a_run_goes_on_to_its_end_and_the_old_holder_counts_no_more() {
    let stack = Stack::running();
    let (from, to) = (unique("queue"), unique("restored"));
    let connect = async |name: &str| {
        let password = Secret::new(stack.postgres_password());
        postgres::connect(&stack.postgres_url(name), &password).await.unwrap()
    };
    let pool = connect(&from).await;
    postgres::migrate(&pool).await.unwrap();
    let queue = Queue::new(pool);
    let (id, _) = queue.create(&run_of("a b<a c<b", &unique("key"))).await.unwrap();
    let done = queue.claim("me", LEASE, 1).await.unwrap().remove(0);
    queue.finish(&done, &success()).await.unwrap();
    let held = queue.claim("me", Duration::ZERO, 1).await.unwrap().remove(0);
    assert_eq!(held.task, "b");
    // PostgreSQL copies a database that nobody is connected to.
    queue.pool().close().await;
    queue.claims.close().await;
    let copy = format!("CREATE DATABASE \"{to}\" TEMPLATE \"{from}\"");
    sqlx::raw_sql(sqlx::AssertSqlSafe(copy)).execute(&connect("postgres").await).await.unwrap();

    let pool = connect(&to).await;
    postgres::migrate(&pool).await.unwrap();
    let restored = Queue::new(pool);
    assert_eq!(restored.rescue().await.unwrap(), 1, "its lease has ended");
    assert_eq!(play_on(&restored, id, &[]).await, (RunState::Success, vec![TaskState::Success; 3]));
    assert_eq!(restored.finish(&held, &failed()).await.unwrap(), Finished::Refused);
    assert_eq!(restored.attempts(id, "a").await.unwrap().len(), 1, "what was done is not done again");
}

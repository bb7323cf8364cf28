//! The tiers: nothing high or low is lost, and what is too old goes.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::{House, NOON};

const DAY: usize = 86_400;
const DAY_MS: i64 = 86_400_000;

fn noise(seed: u64, count: usize) -> Vec<f64> {
    let mut rng = StdRng::seed_from_u64(seed);
    (0..count).map(|_| rng.random_range(-1.0..1.0)).collect()
}

#[tokio::test]
async fn every_bucket_has_the_minimum_maximum_and_last_of_its_samples() {
    let house = House::new().await;
    house.job("kj-a").await;
    let values = noise(1, DAY);
    super::bulk_load(&house.store, "kj-a", "cpu", values.clone()).await;
    for (from_s, to_s, width) in [(0, DAY, 900), (0, DAY, 3_000), (0, 7_200, 900), (37, 4_000, 333), (5, 64, 900), (0, DAY, 24)] {
        let (from, to) = (NOON + from_s as i64 * 1_000, NOON + to_s as i64 * 1_000);
        let points = house.one_series("kj-a", "cpu", from, to, width).await.points;
        assert!(points.len() <= width as usize, "{} points for {width}", points.len());
        assert!(width as usize / 4 <= points.len() || points.len() == to_s - from_s + 1, "{} points", points.len());
        // Each bucket reaches to the start of the next.
        for pair in points.windows(2) {
            let place = |at: i64| usize::try_from((at - NOON).max(0) / 1_000).unwrap();
            let bucket = &values[place(pair[0].at)..place(pair[1].at)];
            let low = bucket.iter().copied().fold(f64::INFINITY, f64::min);
            let high = bucket.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            assert_eq!((pair[0].min, pair[0].max, pair[0].last), (low, high, *bucket.last().unwrap()));
        }
        assert!(points[0].at <= from && points.last().unwrap().at <= to);
    }
}

#[tokio::test]
async fn the_minute_that_is_not_over_is_shown() {
    let house = House::new().await;
    house.job("kj-a").await;
    house.tick("kj-a", NOON, &[("cpu", 1.0), ("done", 7.0)]).await;
    house.tick("kj-a", NOON + 1_000, &[("cpu", 3.0)]).await;
    house.tick("kj-a", NOON + 2_000, &[("cpu", 2.0)]).await;
    let point = house.one_series("kj-a", "cpu", NOON - DAY_MS, NOON + 2_000, 900).await.points[0];
    assert_eq!((point.at, point.min, point.max, point.last), (NOON, 1.0, 3.0, 2.0));
    let all = house.store.series("kj-a", &[], NOON, NOON + 2_000, 900).await.unwrap();
    assert_eq!(all.iter().map(|s| (s.name.as_str(), s.points.len())).collect::<Vec<_>>(), [("cpu", 3), ("done", 1)]);
}

#[tokio::test]
async fn each_tier_is_kept_its_time() {
    let house = House::new().await;
    house.job("kj-a").await;
    super::bulk_load(&house.store, "kj-a", "cpu", noise(2, 7_200)).await;
    let rows = async |table: &str| -> i64 {
        let sql = sqlx::AssertSqlSafe(format!("SELECT count(*) FROM {table}"));
        sqlx::query_scalar(sql).fetch_one(&house.store.readers).await.unwrap()
    };
    let left = async || (rows("sample_second").await, rows("sample_minute").await, rows("sample_hour").await);
    house.store.housekeeping(NOON + 36 * 3_600_000 + 100_000).await.unwrap();
    assert_eq!(left().await, (7_100, 120, 2));
    house.store.housekeeping(NOON + 30 * DAY_MS + 3_600_000).await.unwrap();
    assert_eq!(left().await, (0, 60, 2));
    house.store.housekeeping(NOON + 731 * DAY_MS).await.unwrap();
    assert_eq!(left().await, (0, 0, 0));
}

/// Not a check but a measurement: `cargo test --release -- --ignored --nocapture how_fast`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "prints how long reads and ticks take on this machine"]
async fn how_fast() {
    let house = House::new().await;
    let names: Vec<String> = (0..12).map(|n| format!("series.{n}")).collect();
    for n in 0..100 {
        house.job(&format!("kj-{n}")).await;
    }
    for name in &names {
        super::bulk_load(&house.store, "kj-0", name, noise(3, DAY)).await;
    }
    for (span, width) in [(DAY_MS, 900), (DAY_MS, 3_000), (7_200_000, 900), (17_000_000, 900)] {
        for names in [&names[..1], &names[..]] {
            let mut took: Vec<_> = Vec::new();
            for _ in 0..7 {
                let start = std::time::Instant::now();
                house.store.series("kj-0", names, NOON, NOON + span - 1, width).await.unwrap();
                took.push(start.elapsed());
            }
            took.sort();
            println!("{} series, {} s to {width} points: {:?}", names.len(), span / 1_000, took[3]);
        }
    }
    let values: Vec<(&str, f64)> = names.iter().map(|name| (name.as_str(), 0.5)).collect();
    let mut ticks = Vec::new();
    for n in 0..100 {
        ticks.push(super::tick(&house.store, &format!("kj-{n}"), NOON, &values).await);
    }
    let cpu = || {
        let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
        let fields: Vec<u64> = stat.rsplit(')').next().unwrap().split_whitespace().skip(11).take(2).map(|f| f.parse().unwrap()).collect();
        (fields[0] + fields[1]) * 10
    };
    for grouped in [true, false] {
        let (start, used) = (std::time::Instant::now(), cpu());
        let seconds = 60;
        for second in 0..seconds {
            let mut asked = Vec::new();
            for tick in &ticks {
                let mut tick = tick.clone();
                tick.at = NOON + DAY_MS + second * 1_000 + if grouped { 0 } else { 3_600_000 };
                tick.memories = vec![("zeal".to_owned(), serde_json::json!({"sum": second}))];
                if grouped {
                    asked.push(house.store.tick(tick));
                } else {
                    house.store.tick(tick).await.unwrap();
                }
            }
            futures::future::try_join_all(asked).await.unwrap();
        }
        println!(
            "{seconds} s of 100 jobs with 12 series, grouped {grouped}: {:?} elapsed, {} ms of processor a second",
            start.elapsed(),
            (cpu() - used) as i64 / seconds
        );
    }
}

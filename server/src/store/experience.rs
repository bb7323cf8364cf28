//! Experience: how long items of a program took in the jobs that completed, and whether their forecasts held.

use control::live::Record;
use control::observation::History;

use super::error::{During, Result};
use super::{Store, jobs};

/// Programs change: only the newest jobs count.
const JOBS: u32 = 20;

/// What one job taught.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Lesson {
    pub items: u64,
    /// Of the natural logarithms of service times in milliseconds.
    pub log_mean: f64,
    pub log_sd: f64,
    /// `None`: nobody foretold the finish.
    pub held: Option<bool>,
}

/// What earlier jobs of a program taught.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Experience {
    pub history: Option<History>,
    pub record: Record,
}

impl Store {
    /// A second time for the same job changes nothing.
    pub async fn learn(&self, job: &str, template: Vec<u8>, lesson: Lesson) -> Result<()> {
        let job = job.to_owned();
        self.write(move |tx| {
            Box::pin(async move {
                let num = jobs::number(&mut tx.conn, &job).await?;
                sqlx::query(
                    "INSERT INTO experience (job, template, items, log_mean, log_sd, held) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                )
                .bind(num)
                .bind(template)
                .bind(i64::try_from(lesson.items).unwrap_or(i64::MAX))
                .bind(lesson.log_mean)
                .bind(lesson.log_sd)
                .bind(lesson.held)
                .execute(&mut tx.conn)
                .await
                .writing(|| format!("the experience of {job}"))?;
                Ok(())
            })
        })
        .await
    }

    /// Of the newest jobs with this template.
    pub async fn experience(&self, template: &[u8]) -> Result<Experience> {
        let lessons: Vec<(f64, f64, Option<bool>)> =
            sqlx::query_as("SELECT log_mean, log_sd, held FROM experience WHERE template = ? ORDER BY job DESC LIMIT ?")
                .bind(template)
                .bind(JOBS)
                .fetch_all(&self.readers)
                .await
                .reading(|| "the experience with a program".to_owned())?;
        let Ok(jobs @ 1..) = u32::try_from(lessons.len()) else { return Ok(Experience::default()) };
        let mean = |of: fn(&(f64, f64, Option<bool>)) -> f64| lessons.iter().map(of).sum::<f64>() / f64::from(jobs);
        let count = |held: &dyn Fn(Option<bool>) -> bool| lessons.iter().filter(|lesson| held(lesson.2)).count() as u32;
        Ok(Experience {
            history: Some(History { jobs, log_mean: mean(|lesson| lesson.0), log_sd: mean(|lesson| lesson.1) }),
            record: Record { jobs, foretold: count(&|held| held.is_some()), held: count(&|held| held == Some(true)) },
        })
    }
}

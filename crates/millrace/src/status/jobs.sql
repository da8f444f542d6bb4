SELECT job.pipeline, sum(slot.dead)::bigint AS dead
FROM slot JOIN job ON job.name = slot.job
GROUP BY job.pipeline

-- Only from where the place was seen. Who was paused meanwhile takes the records when it goes on.
UPDATE dag_place SET places = $3, since = NULL, version = version + 1
WHERE dag = $1 AND version = $2 AND EXISTS (SELECT FROM dag WHERE name = $1 AND NOT paused AND NOT retired)

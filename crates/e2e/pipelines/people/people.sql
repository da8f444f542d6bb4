SELECT id, upper(name) AS name, email, nat FROM people

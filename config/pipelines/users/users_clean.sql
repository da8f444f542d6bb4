-- Normalises what people type, and adds what queries need.
SELECT
    id,
    first_name,
    last_name,
    gender,
    address,
    post_code,
    lower(trim(email))                             AS email,
    username,
    dob,
    CASE
        WHEN dob IS NULL                                        THEN NULL
        WHEN dob > fetched_at - INTERVAL '6574 days'            THEN 'under 18'
        WHEN dob > fetched_at - INTERVAL '10957 days'           THEN '18-29'
        WHEN dob > fetched_at - INTERVAL '16436 days'           THEN '30-44'
        WHEN dob > fetched_at - INTERVAL '23741 days'           THEN '45-64'
        ELSE '65 and over'
    END                                            AS age_band,
    registered_date,
    regexp_replace(phone, '[^0-9+]', '', 'g')      AS phone,
    picture,
    country,
    city,
    nat,
    to_char(fetched_at, '%Y-%m-%d')                AS day,
    fetched_at
FROM users

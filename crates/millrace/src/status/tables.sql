SELECT table_name, pipeline, rows, dead FROM sink_status

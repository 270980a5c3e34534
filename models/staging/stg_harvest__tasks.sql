select
  id as task_id,
  name as task_name
from {{ harvest.harvest_table('tasks') }}
where deleted_at is null

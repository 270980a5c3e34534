{#- Budgets of single tasks and of single people on a project. -#}
select
  id as assignment_id,
  project__id as project_id,
  'task' as budget_of,
  budget
from {{ harvest.harvest_table('task_assignments') }}
where deleted_at is null and budget is not null

union all

select
  id as assignment_id,
  project__id as project_id,
  'person' as budget_of,
  budget
from {{ harvest.harvest_table('user_assignments') }}
where deleted_at is null and budget is not null

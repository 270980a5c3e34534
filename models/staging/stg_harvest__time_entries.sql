select
  id as time_entry_id,
  spent_date,
  user__id as user_id,
  client__id as client_id,
  project__id as project_id,
  task__id as task_id,
  invoice__id as invoice_id,
  coalesce(rounded_hours, hours, 0) as hours,
  coalesce(hours, 0) as tracked_hours,
  coalesce(billable, false) as is_billable,
  coalesce(budgeted, false) as is_budgeted,
  billable_rate,
  cost_rate,
  coalesce(is_running, false) as is_running,
  case
    when approval_status is not null then approval_status = 'approved'
    else coalesce(is_closed, false)
  end as is_approved,
  coalesce(is_billed, false) or invoice__id is not null as is_invoiced,
  client__currency as currency,
  _dlt_id
from {{ harvest.harvest_table('time_entries') }}
where deleted_at is null

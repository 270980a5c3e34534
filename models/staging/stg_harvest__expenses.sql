select
  id as expense_id,
  spent_date,
  user__id as user_id,
  client__id as client_id,
  project__id as project_id,
  expense_category__name as category_name,
  invoice__id as invoice_id,
  coalesce(total_cost, 0) as amount,
  coalesce(billable, false) as is_billable,
  case
    when approval_status is not null then approval_status = 'approved'
    else coalesce(is_closed, false)
  end as is_approved,
  coalesce(is_billed, false) or invoice__id is not null as is_invoiced,
  client__currency as currency
from {{ harvest.harvest_table('expenses') }}
where deleted_at is null

select
  id as project_id,
  client__id as client_id,
  name as project_name,
  code as project_code,
  coalesce(client__currency, currency) as currency,
  coalesce(is_active, true) as is_active,
  coalesce(is_billable, false) as is_billable,
  coalesce(is_billable, false) and coalesce(is_fixed_fee, false) as is_fixed_fee,
  fee,
  starts_on,
  ends_on,
  coalesce(budget_by, 'none') as budget_by,
  coalesce(budget_is_monthly, false) as budget_is_monthly,
  budget as budget_hours,
  cost_budget as budget_fees,
  coalesce(cost_budget_include_expenses, false) as budget_includes_expenses
from {{ harvest.harvest_table('projects') }}
where deleted_at is null

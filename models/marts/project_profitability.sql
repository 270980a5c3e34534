with parts as (
  select
    project_id,
    client_id,
    currency,
    {{ harvest.month_of('spent_date') }} as month,
    hours,
    billable_hours,
    revenue as time_revenue,
    0 as expense_revenue,
    0 as fixed_fee_revenue,
    revenue_account,
    cost as time_cost,
    0 as expense_cost,
    cost as cost_account,
    case when cost_rate is null then hours else 0 end as hours_without_cost_rate,
    case when is_billable and billable_rate is null and not is_fixed_fee then hours else 0 end
      as hours_without_billable_rate
  from {{ ref('fct_time') }}

  union all

  select
    project_id,
    client_id,
    currency,
    {{ harvest.month_of('spent_date') }} as month,
    0 as hours,
    0 as billable_hours,
    0 as time_revenue,
    revenue as expense_revenue,
    0 as fixed_fee_revenue,
    revenue_account,
    0 as time_cost,
    amount as expense_cost,
    amount_account as cost_account,
    0 as hours_without_cost_rate,
    0 as hours_without_billable_rate
  from {{ ref('fct_expenses') }}

  union all

  select
    project_id,
    client_id,
    currency,
    month,
    0 as hours,
    0 as billable_hours,
    0 as time_revenue,
    0 as expense_revenue,
    revenue as fixed_fee_revenue,
    revenue_account,
    0 as time_cost,
    0 as expense_cost,
    0 as cost_account,
    0 as hours_without_cost_rate,
    0 as hours_without_billable_rate
  from {{ ref('int_harvest__fixed_fee_days') }}
),

sums as (
  select
    project_id,
    max(client_id) as client_id,
    currency,
    month,
    sum(hours) as hours,
    sum(billable_hours) as billable_hours,
    sum(time_revenue) as time_revenue,
    sum(expense_revenue) as expense_revenue,
    sum(fixed_fee_revenue) as fixed_fee_revenue,
    sum(time_revenue) + sum(expense_revenue) + sum(fixed_fee_revenue) as revenue,
    sum(time_cost) as time_cost,
    sum(expense_cost) as expense_cost,
    {{ harvest.sum_of_known('revenue_account') }} as revenue_account,
    {{ harvest.sum_of_known('cost_account') }} as cost_account,
    sum(hours_without_cost_rate) as hours_without_cost_rate,
    sum(hours_without_billable_rate) as hours_without_billable_rate
  from parts
  group by project_id, currency, month
)

select
  sums.project_id,
  projects.project_name,
  coalesce(projects.client_id, sums.client_id) as client_id,
  clients.client_name,
  projects.billing,
  sums.month,
  sums.currency,
  sums.hours,
  sums.billable_hours,
  sums.time_revenue,
  sums.expense_revenue,
  sums.fixed_fee_revenue,
  sums.revenue,
  sums.time_cost,
  sums.expense_cost,
  accounts.account_currency,
  sums.revenue_account,
  sums.cost_account,
  sums.revenue_account - sums.cost_account as profit_account,
  {{ harvest.ratio('sums.revenue_account - sums.cost_account', 'sums.revenue_account') }}
    as margin,
  sums.hours_without_cost_rate,
  sums.hours_without_billable_rate
from sums
left join {{ ref('dim_projects') }} as projects
  on projects.project_id = sums.project_id
left join {{ ref('dim_clients') }} as clients
  on clients.client_id = coalesce(projects.client_id, sums.client_id)
cross join (
  select max(account_currency) as account_currency from {{ ref('stg_harvest__company') }}
) as accounts

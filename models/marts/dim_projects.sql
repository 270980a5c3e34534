with tracked as (
  select
    project_id,
    min(spent_date) as first_entry_on,
    max(spent_date) as last_entry_on
  from {{ ref('stg_harvest__time_entries') }}
  group by project_id
),

invoiced as (
  -- drafts count, as in Harvest's report about what is not invoiced
  select project_id, currency, sum(amount) as invoiced_amount
  from {{ ref('stg_harvest__invoice_line_items') }}
  group by project_id, currency
),

projects as (
  select
    projects.*,
    clients.client_name,
    coalesce(clients.currency, projects.currency) as billed_in
  from {{ ref('stg_harvest__projects') }} as projects
  left join {{ ref('stg_harvest__clients') }} as clients
    on clients.client_id = projects.client_id
)

select
  projects.project_id,
  projects.project_name,
  projects.project_code,
  projects.client_id,
  projects.client_name,
  projects.billed_in as currency,
  projects.is_active,
  projects.is_billable,
  projects.is_fixed_fee,
  case
    when projects.is_fixed_fee then 'fixed fee'
    when projects.is_billable then 'time and materials'
    else 'not billable'
  end as billing,
  projects.fee,
  projects.starts_on,
  projects.ends_on,
  projects.budget_by,
  projects.budget_is_monthly,
  projects.budget_includes_expenses,
  coalesce(invoiced.invoiced_amount, 0) as invoiced_amount,
  tracked.first_entry_on,
  tracked.last_entry_on,
  projects.is_active and (
    tracked.last_entry_on is null
    or {{ harvest.days_between('tracked.last_entry_on', harvest.today()) }} > 30
  ) as is_stale
from projects
left join tracked on tracked.project_id = projects.project_id
left join invoiced
  on invoiced.project_id = projects.project_id
  and invoiced.currency = projects.billed_in

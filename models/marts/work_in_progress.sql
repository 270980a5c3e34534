{#- What is done and on no invoice. A fixed fee is due as a whole: it has no date, and no age. -#}
with open_items as (
  select
    project_id,
    client_id,
    currency,
    spent_date,
    billable_hours as hours,
    revenue as time_amount,
    0 as expenses,
    is_fixed_fee
  from {{ ref('fct_time') }}
  where is_billable and not is_invoiced

  union all

  select
    project_id,
    client_id,
    currency,
    spent_date,
    0 as hours,
    0 as time_amount,
    billable_amount as expenses,
    is_fixed_fee
  from {{ ref('fct_expenses') }}
  where is_billable and not is_invoiced
),

aged as (
  select
    open_items.*,
    case when is_fixed_fee then 0 else time_amount + expenses end as amount,
    {{ harvest.age_bucket(harvest.days_between('spent_date', harvest.today())) }} as age
  from open_items
),

open_projects as (
  select
    project_id,
    max(client_id) as client_id,
    currency,
    sum(hours) as uninvoiced_hours,
    sum(time_amount) as uninvoiced_time,
    sum(expenses) as uninvoiced_expenses,
    sum(amount) as uninvoiced_amount,
    sum(case when age = '0 to 30' then amount else 0 end) as amount_0_to_30,
    sum(case when age = '31 to 60' then amount else 0 end) as amount_31_to_60,
    sum(case when age = '61 to 90' then amount else 0 end) as amount_61_to_90,
    sum(case when age = 'more than 90' then amount else 0 end) as amount_more_than_90,
    min(spent_date) as oldest_day
  from aged
  group by project_id, currency
),

fees as (
  select project_id, client_id, currency, fee - invoiced_amount as uninvoiced_fee
  from {{ ref('dim_projects') }}
  where is_fixed_fee and is_active and fee is not null
),

combined as (
  select
    coalesce(open_projects.project_id, fees.project_id) as project_id,
    coalesce(open_projects.client_id, fees.client_id) as client_id,
    coalesce(open_projects.currency, fees.currency) as currency,
    coalesce(open_projects.uninvoiced_hours, 0) as uninvoiced_hours,
    coalesce(open_projects.uninvoiced_time, 0) as uninvoiced_time,
    coalesce(open_projects.uninvoiced_expenses, 0) as uninvoiced_expenses,
    coalesce(open_projects.uninvoiced_amount, 0) as uninvoiced_amount,
    coalesce(open_projects.amount_0_to_30, 0) as amount_0_to_30,
    coalesce(open_projects.amount_31_to_60, 0) as amount_31_to_60,
    coalesce(open_projects.amount_61_to_90, 0) as amount_61_to_90,
    coalesce(open_projects.amount_more_than_90, 0) as amount_more_than_90,
    open_projects.oldest_day,
    fees.uninvoiced_fee
  from open_projects
  full outer join fees
    on fees.project_id = open_projects.project_id
    and fees.currency = open_projects.currency
)

select
  clients.client_name,
  projects.project_name,
  projects.billing,
  projects.is_active,
  combined.*
from combined
left join {{ ref('dim_projects') }} as projects on projects.project_id = combined.project_id
left join {{ ref('dim_clients') }} as clients on clients.client_id = combined.client_id
where combined.uninvoiced_hours <> 0
  or combined.uninvoiced_expenses <> 0
  or coalesce(combined.uninvoiced_fee, 0) <> 0

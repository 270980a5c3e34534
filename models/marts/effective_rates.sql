{#- What an hour brings. Everything up to today, in the currency of the client. -#}
with tracked as (
  select
    project_id,
    max(client_id) as client_id,
    currency,
    sum(hours) as hours,
    sum(billable_hours) as billable_hours,
    sum(case when billable_rate is not null then billable_hours else 0 end) as rated_hours,
    sum(billable_amount) as standard_amount,
    sum(revenue) as time_revenue
  from {{ ref('fct_time') }}
  where spent_date <= {{ harvest.today() }}
  group by project_id, currency
),

fees as (
  select project_id, currency, sum(revenue) as fee_revenue
  from {{ ref('int_harvest__fixed_fee_days') }}
  where day <= {{ harvest.today() }}
  group by project_id, currency
),

invoiced as (
  select
    items.project_id,
    items.currency,
    sum(items.amount_after_discount) as invoiced_for_time
  from {{ ref('stg_harvest__invoice_line_items') }} as items
  left join {{ ref('stg_harvest__invoice_item_categories') }} as categories
    on categories.category_name = items.kind and categories.is_expense
  where items.state in ('open', 'paid') and categories.category_id is null
  group by items.project_id, items.currency
),

sums as (
  select
    tracked.project_id,
    tracked.client_id,
    tracked.currency,
    tracked.hours,
    tracked.billable_hours,
    tracked.rated_hours,
    tracked.standard_amount,
    tracked.time_revenue + coalesce(fees.fee_revenue, 0) as revenue,
    coalesce(invoiced.invoiced_for_time, 0) as invoiced_for_time
  from tracked
  left join fees
    on fees.project_id = tracked.project_id and fees.currency = tracked.currency
  left join invoiced
    on invoiced.project_id = tracked.project_id and invoiced.currency = tracked.currency
)

select
  sums.project_id,
  projects.project_name,
  coalesce(projects.client_id, sums.client_id) as client_id,
  clients.client_name,
  projects.billing,
  sums.currency,
  sums.hours,
  sums.billable_hours,
  sums.standard_amount,
  sums.revenue,
  sums.invoiced_for_time,
  {{ harvest.ratio('sums.revenue', 'sums.hours') }} as revenue_per_hour,
  {{ harvest.ratio('sums.invoiced_for_time', 'sums.hours') }} as invoiced_per_hour,
  {{ harvest.ratio('sums.standard_amount', 'sums.rated_hours') }} as standard_rate,
  {{ harvest.ratio('sums.invoiced_for_time', 'sums.standard_amount') }} as realization
from sums
left join {{ ref('dim_projects') }} as projects on projects.project_id = sums.project_id
left join {{ ref('dim_clients') }} as clients
  on clients.client_id = coalesce(projects.client_id, sums.client_id)

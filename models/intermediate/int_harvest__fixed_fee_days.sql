{#- A fixed fee, spread evenly over the days of its project. Each day has what is earned up to its
    end, less what was earned up to its start, so that the days of a project sum up to its fee. -#}
with projects as (
  select
    project_id,
    client_id,
    currency,
    starts_on,
    ends_on,
    {{ harvest.days_between('starts_on', 'ends_on') }} + 1 as days_in_all,
    -- what was invoiced beyond the fee takes its place
    case when invoiced_amount > fee then invoiced_amount else fee end as fee
  from {{ ref('dim_projects') }}
  where is_fixed_fee and fee is not null and starts_on <= ends_on
),

days as (
  select
    projects.project_id,
    projects.client_id,
    projects.currency,
    projects.fee,
    projects.days_in_all,
    days.day,
    days.month,
    {{ harvest.days_between('projects.starts_on', 'days.day') }} + 1 as days_so_far
  from projects
  inner join {{ ref('dim_days') }} as days
    on days.day >= projects.starts_on
    and days.day <= projects.ends_on
  where days.month <= {{ harvest.month_of(harvest.today()) }}
),

earned as (
  select
    days.project_id,
    days.client_id,
    days.currency,
    days.day,
    days.month,
    {{ harvest.ratio('days.fee * days.days_so_far', 'days.days_in_all') }}
    - {{ harvest.ratio('days.fee * (days.days_so_far - 1)', 'days.days_in_all') }} as revenue
  from days
)

select
  earned.*,
  {{ harvest.in_account_currency('earned.revenue') }} as revenue_account
from earned
left join {{ ref('int_harvest__exchange_rates') }} as rates
  on rates.currency = earned.currency
  and rates.valid_from <= earned.day
  and (rates.valid_until is null or earned.day < rates.valid_until)
